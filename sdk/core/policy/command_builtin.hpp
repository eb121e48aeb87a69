// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>

#include "sdk/core/policy/shell_script.hpp"

// Commands that the shell itself carries out.
namespace aispm::policy {

// Starts nothing and changes nothing that a later command runs: `true`, `exit`, `echo`, ...
// `words` are not empty.
bool is_harmless(std::span<const ShellWord> words);

// Why a builtin may run commands that its words hold (`printf -v 'a[$(...)]'`) or set a variable
// that changes programs (`export PATH=...`); empty: it does not, or is no such builtin.
std::string danger_of_builtin(std::span<const ShellWord> words);

}  // namespace aispm::policy
