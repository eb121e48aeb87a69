// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "sdk/cli/fleet_arguments.hpp"

namespace aispm::cli {

// Adds freeze, unfreeze and freezes, and to `policy` what asks the collector: list, show, push,
// versions, diff, restore, promote, scope, hosts. After add_policy_commands.
void add_control_commands(CLI::App& app, const std::function<void(Action)>& choose);

// "30s", "10m", "8h", "7d" in seconds, up to 366 days; "" is 0.
Result<std::uint32_t> parse_span(const std::string& text);

}  // namespace aispm::cli
