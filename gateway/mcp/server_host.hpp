// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/proxy/config.hpp"
#include "gateway/proxy/decide/asked_action.hpp"

namespace aispm::gateway {

// Before a server is asked to act: the Rego module `egress` about its host, where the policy has
// one. What it does not allow is overruled.
void judge_server_host(AskedAction& asked, const McpServerConfig& server);

}  // namespace aispm::gateway
