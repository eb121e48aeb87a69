// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "sdk/cli/commands.hpp"

namespace aispm::cli {

// What a command line asks for, once it was parsed.
using Action = std::function<Result<>(Client&, const Output&)>;

// Adds assets, mcp, topology, coverage, names and baseline.
void add_fleet(CLI::App& app, Action& action);

}  // namespace aispm::cli
