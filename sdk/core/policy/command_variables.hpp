// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "sdk/core/policy/shell_script.hpp"

// Variables by which a command line makes other programs run than it names.
namespace aispm::policy {

// Changes which program a name means, what an interpreter does first or what a tool starts: PATH,
// LD_PRELOAD, NODE_OPTIONS, TAR_OPTIONS, ...
bool changes_programs(std::string_view variable);

// Giving the variable this value may itself run commands, because the shell computes it.
bool runs_commands(const ShellAssignment& assignment);

}  // namespace aispm::policy
