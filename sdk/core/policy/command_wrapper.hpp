// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sdk/core/policy/shell_script.hpp"

// Programs that start other programs.
namespace aispm::policy {

struct Unwrapped {
  // The program within, empty where the wrapper starts none (`env` alone).
  std::vector<ShellWord> words;
  std::vector<ShellAssignment> assignments;  // those of `env`
  std::optional<std::string> script;         // of `sh -c`, `eval`, `trap`
  std::string obstacle;                      // why it cannot be said what it starts
};

// Nothing when `words` is no wrapper (it is a program of its own).
std::optional<Unwrapped> unwrap(std::span<const ShellWord> words);

// "/bin/rm" -> "rm"
std::string_view base_name(std::string_view program);

// Named without a folder, or in one where systems keep their programs. What else is called `bash`
// or `env` may be anything.
bool is_of_system(std::string_view program);

// What a program in its own right starts beside what it does itself: `find -exec`, `xargs`, `sudo`.
// Both are judged. Empty: nothing.
std::vector<Unwrapped> launched(std::span<const ShellWord> words);

}  // namespace aispm::policy
