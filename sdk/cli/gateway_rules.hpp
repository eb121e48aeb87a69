// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "sdk/cli/admin_link.hpp"
#include "sdk/cli/policy_commands.hpp"

// `aispm detect rules ...`: detection rules of tenants, at the gateway of this host. Asks no
// collector; the gateway lets root and its own user do this.
namespace aispm::cli {

void add_detect_commands(CLI::App& app, const std::function<void(LocalAction)>& choose);

Result<> list_tenant_rules(const std::string& socket, const Output& output);
// Prints the pack as it was given.
Result<> show_tenant_rules(const std::string& socket, const std::string& tenant,
                           const Output& output);
// `file`: a pack, `-` for standard input. What is wrong in it names its line.
Result<> set_tenant_rules(const std::string& socket, const std::string& tenant,
                          const std::string& file, const Output& output);
Result<> remove_tenant_rules(const std::string& socket, const std::string& tenant,
                             const Output& output);

}  // namespace aispm::cli
