// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "sdk/cli/fleet_arguments.hpp"
#include "sdk/cli/policy_commands.hpp"

namespace aispm::cli {

// Adds `aispm policy simulate|explain|learn` to what add_policy_commands() made. What works on
// files of this host is chosen with `local`, what asks the collector with `remote`.
void add_simulate_commands(CLI::App& app, const std::function<void(LocalAction)>& local,
                           const std::function<void(Action)>& remote);

}  // namespace aispm::cli
