// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/policy/action.hpp"
#include "sdk/core/policy/command_governor.hpp"

namespace aispm::policy {

// Whether a tool runs shell command lines, by its name ("Bash", "run_shell_command",
// "mcp__host__exec").
bool is_shell_tool(std::string_view tool);
// Whether the argument is what such a tool runs, or a word of it: `command`, `cmd.0`.
bool is_command_argument(std::string_view path);
// The command line among a shell tool's arguments, a text or a list of words (which are quoted),
// with the words of `args`, `arguments` or `argv` behind it and the variables of `env` before it.
// Nothing when there is none or more than one: what would run is not known.
std::optional<std::string> shell_command(const std::vector<Arguments::Leaf>& arguments);
// What the rules over commands say of a shell tool's call. A command line that cannot be told is
// denied, and of further words counts the worse of what a program and what a shell would make of
// them. Where `shell`, `executable` or `interpreter` names a program that is no known shell, that
// program with the line as its argument is judged, too. The rule's id is never empty.
CommandVerdict judge_shell_call(const CommandGovernor& commands,
                                const std::vector<Arguments::Leaf>& arguments);

}  // namespace aispm::policy
