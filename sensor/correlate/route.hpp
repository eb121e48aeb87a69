// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sensor/correlate/address_key.hpp"
#include "sensor/model/gateway_place.hpp"

namespace aispm::sensor {

// Where a call to a model goes: the verdict of LlmCall.route.
class RouteJudge {
 public:
  explicit RouteJudge(std::vector<GatewayPlace> gateways) : gateways_(std::move(gateways)) {}

  // A connection to this address is one to the gateway.
  bool is_gateway(const Address& address) const;
  // Who listens here is the gateway: at exactly its address, or at all addresses where the gateway
  // is configured on loopback (nobody else can hold that port then).
  bool is_gateway_listener(const Address& address) const;
  // `host` is what the request names, with or without port; `name` what the connection's address
  // was found under (SNI, DNS), empty when unknown: it outweighs `host`, which is only the client's
  // word. "gateway", "local" or "direct"; empty when nothing is known.
  std::string judge(std::string_view host, std::string_view name,
                    const std::optional<Endpoints>& socket) const;

 private:
  bool is_gateway_name(std::string_view name, std::uint16_t port) const;

  std::vector<GatewayPlace> gateways_;
};

}  // namespace aispm::sensor
