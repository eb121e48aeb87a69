// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace aispm::gateway {

struct Services;

// What is loaded and in force: detection rules, models of judges and what stands in for those that
// are away, policies, tenants, providers and MCP servers. JSON; no keys, no texts.
std::string describe_inventory(const Services& services);

}  // namespace aispm::gateway
