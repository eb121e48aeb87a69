// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/result.hpp"

// What a shell script would start, read with a shell grammar and without running anything.
namespace aispm::policy {

struct ShellWord {
  std::string text;
  // The program gets exactly this text, whatever variables and files there are.
  bool is_fixed = false;
};

struct ShellAssignment {
  std::string name;
  ShellWord value;
};

struct ShellRedirect {
  std::string op;  // ">" writes (also ">>", "<>", "&>"), "<" reads, "<<<" a text as standard input
  ShellWord target;
};

// One simple command, wherever it stands: in lists, pipelines, substitutions, functions, loops.
struct ShellCommand {
  std::vector<ShellWord> words;  // empty: assignments or redirections only
  std::vector<ShellAssignment> assignments;
  std::vector<ShellRedirect> redirects;
  bool is_piped = false;  // reads the output of the command before it
};

// Every command of `script` (at most 16 KiB, 256 commands). kUnsupported, with the reason, where it
// cannot be said beforehand what would run: a syntax error, arithmetic on variables, sequences in
// braces, what shells read differently (`[[ a || b ]]`), a limit. Loops and coprocesses that set a
// variable are commands without words. Does no I/O; about 20 us for a line. What nests is read on a
// thread with a stack of its own, so the caller's may be small (256 KiB).
Result<std::vector<ShellCommand>> parse_shell(std::string_view script);

}  // namespace aispm::policy
