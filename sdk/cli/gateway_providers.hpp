// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "sdk/cli/admin_link.hpp"
#include "sdk/cli/policy_commands.hpp"

// `aispm gateway providers ...`: the upstreams of this host's gateway while it runs. Asks no
// collector; the gateway lets root and its own user do this.
namespace aispm::cli {

void add_gateway_commands(CLI::App& app, const std::function<void(LocalAction)>& choose);

Result<> list_providers(const std::string& socket, const Output& output);
// Reads the providers of the configuration file anew, with their keys.
Result<> reload_providers(const std::string& socket, const Output& output);
// Until the gateway ends, over reloads.
Result<> set_provider_origin(const std::string& socket, const std::string& name,
                             const std::string& origin, const Output& output);
Result<> unset_provider_origin(const std::string& socket, const std::string& name,
                               const Output& output);

}  // namespace aispm::cli
