// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

// What operators do at a gateway, by the names under which its events tell of it
// (OperatorAction::action). The collector takes no others from a gateway.
namespace aispm::model {

struct GatewayAction {
  std::string_view name;
  // Whether `before` and `after` are digests (SHA-256, hex) or empty, and no plain text: what a
  // rule looks for may be what must not be told.
  bool tells_digests = false;
};

inline constexpr GatewayAction kGatewayReload{"gateway.reload"};
inline constexpr GatewayAction kProvidersReload{"providers.reload"};
inline constexpr GatewayAction kSetProviderOrigin{"provider.set_origin"};
inline constexpr GatewayAction kUnsetProviderOrigin{"provider.unset_origin"};
inline constexpr GatewayAction kSetTenantRules{"rules.set", true};
inline constexpr GatewayAction kRemoveTenantRules{"rules.remove", true};
inline constexpr GatewayAction kCreateGuardrail{"guardrail.create", true};
inline constexpr GatewayAction kUpdateGuardrail{"guardrail.update", true};
inline constexpr GatewayAction kDeleteGuardrail{"guardrail.delete", true};

inline constexpr std::array kGatewayActions = {
    kGatewayReload,     kProvidersReload, kSetProviderOrigin, kUnsetProviderOrigin, kSetTenantRules,
    kRemoveTenantRules, kCreateGuardrail, kUpdateGuardrail,   kDeleteGuardrail};

// Null: gateways do not do this.
constexpr const GatewayAction* find_gateway_action(std::string_view name) {
  const auto* const found =
      std::find_if(kGatewayActions.begin(), kGatewayActions.end(),
                   [&](const GatewayAction& one) { return one.name == name; });
  return found == kGatewayActions.end() ? nullptr : found;
}

}  // namespace aispm::model
