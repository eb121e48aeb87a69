// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "sdk/cli/fleet_arguments.hpp"

namespace aispm::cli {

// Adds list, show, register, approve, block and forget to `aispm agent`.
void add_registered_agents(CLI::App& agent, const std::function<void(Action)>& choose);

}  // namespace aispm::cli
