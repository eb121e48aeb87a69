// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

#include "sdk/core/detect/inspect.hpp"

namespace aispm::gateway {

// What a tenant has of its own (`tenants:`).
struct TenantConfig {
  static constexpr std::size_t kMaxTenants = 64;
  static constexpr std::size_t kMaxRulesBytes = 256U << 10;

  std::string rules_file;                 // a pack, read again with each reload; "" = none
  std::vector<std::string> pii_entities;  // only these kinds of personal data count; empty: all
  std::array<bool, detect::kLayerCount> layers = {true, true, true};  // false: not run
};
using Tenants = std::map<std::string, TenantConfig, std::less<>>;

}  // namespace aispm::gateway
