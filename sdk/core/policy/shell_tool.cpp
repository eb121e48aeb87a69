// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/shell_tool.hpp"

#include <algorithm>
#include <array>

#include "sdk/core/policy/strictness.hpp"

namespace aispm::policy {
namespace {

constexpr std::array<std::string_view, 17> kShells = {"bash",
                                                      "sh",
                                                      "zsh",
                                                      "shell",
                                                      "terminal",
                                                      "exec",
                                                      "execute",
                                                      "runcommand",
                                                      "execcommand",
                                                      "executecommand",
                                                      "shellcommand",
                                                      "localshell",
                                                      "runshellcommand",
                                                      "runterminalcmd",
                                                      "containerexec",
                                                      "runinterminal",
                                                      "executebash"};
constexpr std::array<std::string_view, 5> kMembers = {"command", "cmd", "script", "code", "input"};
// Further words of the command, and variables that are set for it.
constexpr std::array<std::string_view, 3> kWords = {"args", "arguments", "argv"};
constexpr std::array<std::string_view, 2> kVariables = {"env", "environment"};

// Letters only, small: `run_shell-command` and `RunShellCommand` are one name.
std::string plain(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c >= 'A' && c <= 'Z') out += static_cast<char>(c - 'A' + 'a');
    if (c >= 'a' && c <= 'z') out += c;
  }
  return out;
}

// `runBash_tool`: run, bash, tool.
std::vector<std::string> words_of(std::string_view name) {
  std::vector<std::string> words;
  bool is_within = false;
  char before = '\0';
  for (const char c : name) {
    const bool is_large = c >= 'A' && c <= 'Z';
    const bool is_small = c >= 'a' && c <= 'z';
    const bool begins = !is_within || (is_large && before >= 'a' && before <= 'z');
    before = c;
    is_within = is_large || is_small;
    if (!is_within) continue;
    if (begins) words.emplace_back();
    words.back() += is_large ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return words;
}

// A name of nothing but such words, a shell's among them: `run_bash`, `shell_exec`, `bash_tool`.
bool is_of_shell_words(std::string_view name) {
  constexpr std::array<std::string_view, 8> kNames = {"bash",     "sh",         "zsh",  "shell",
                                                      "terminal", "powershell", "pwsh", "cmd"};
  constexpr std::array<std::string_view, 13> kOthers = {
      "run", "exec", "execute", "command", "commands", "line", "tool",
      "in",  "the",  "local",   "os",      "system",   "power"};
  const auto has = [](const auto& known, const std::string& word) {
    return std::find(known.begin(), known.end(), word) != known.end();
  };
  const std::vector<std::string> words = words_of(name);
  return std::any_of(words.begin(), words.end(),
                     [&](const std::string& word) { return has(kNames, word); }) &&
         std::all_of(words.begin(), words.end(), [&](const std::string& word) {
           return has(kNames, word) || has(kOthers, word);
         });
}

bool is_shell(std::string_view name) {
  return std::find(kShells.begin(), kShells.end(), plain(name)) != kShells.end() ||
         is_of_shell_words(name);
}

std::string quoted(std::string_view word) {
  std::string out = "'";
  for (const char c : word) {
    if (c == '\'')
      out += "'\\''";
    else
      out += c;
  }
  return out + "'";
}

std::string_view member_of(std::string_view path) { return path.substr(0, path.find('.')); }

template <std::size_t kCount>
bool is_one_of(const std::array<std::string_view, kCount>& names, std::string_view path) {
  return std::find(names.begin(), names.end(), member_of(path)) != names.end();
}

bool is_variable_name(std::string_view name) {
  return !name.empty() && !(name.front() >= '0' && name.front() <= '9') &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  c == '_';
         });
}

// `env.PATH` = "/x", and `env.0` = "PATH=/x": PATH='/x'. Nothing when it is neither.
std::optional<std::string> assignment_of(const Arguments::Leaf& leaf) {
  const auto* const text = std::get_if<std::string>(&leaf.value);
  if (text == nullptr) return std::nullopt;
  std::string_view name = std::string_view(leaf.path).substr(member_of(leaf.path).size());
  if (!name.empty()) name.remove_prefix(1);
  std::string_view value = *text;
  if (!is_variable_name(name)) {
    const auto at = value.find('=');
    if (at == std::string_view::npos) return std::nullopt;
    name = value.substr(0, at);
    value.remove_prefix(at + 1);
  }
  if (!is_variable_name(name)) return std::nullopt;
  return std::string(name) + "=" + quoted(value) + " ";
}

// The command itself, without what stands beside it.
std::optional<std::string> read_command(const std::vector<Arguments::Leaf>& arguments) {
  std::optional<std::string> line;
  std::string_view from;  // the member it stands in
  for (const Arguments::Leaf& leaf : arguments) {
    if (!is_command_argument(leaf.path)) continue;
    const auto* const text = std::get_if<std::string>(&leaf.value);
    const std::string_view member = member_of(leaf.path);
    if (text == nullptr || (line && member != from)) return std::nullopt;
    if (member == leaf.path)
      line = *text;
    else
      line = (line ? *line + " " : "") + quoted(*text);
    from = member;
  }
  return line;
}

// With its further words and variables. Tools differ in what they make of words: `as_words` as a
// program gets them, else as a shell reads them.
std::optional<std::string> read_line(const std::vector<Arguments::Leaf>& arguments, bool as_words) {
  std::optional<std::string> line = read_command(arguments);
  std::string variables;
  for (const Arguments::Leaf& leaf : arguments) {
    if (!line) return std::nullopt;
    if (is_one_of(kWords, leaf.path)) {
      const auto* const word = std::get_if<std::string>(&leaf.value);
      if (word == nullptr) return std::nullopt;
      const bool is_quoted = as_words && member_of(leaf.path) != leaf.path;
      line->append(" ").append(is_quoted ? quoted(*word) : *word);
    } else if (is_one_of(kVariables, leaf.path)) {
      const auto assignment = assignment_of(leaf);
      if (!assignment) return std::nullopt;
      variables += *assignment;
    }
  }
  if (line) line->insert(0, variables);
  return line;
}

}  // namespace

bool is_shell_tool(std::string_view tool) {
  for (const std::string_view mark : {"__", ".", "/", ":"})
    if (const auto at = tool.rfind(mark); at != std::string_view::npos)
      if (is_shell(tool.substr(at + mark.size()))) return true;
  return is_shell(tool);
}

bool is_command_argument(std::string_view path) { return is_one_of(kMembers, path); }

std::optional<std::string> shell_command(const std::vector<Arguments::Leaf>& arguments) {
  return read_line(arguments, true);
}

CommandVerdict judge_shell_call(const CommandGovernor& commands,
                                const std::vector<Arguments::Leaf>& arguments) {
  const auto line = shell_command(arguments);
  if (!line)
    return {model::Outcome::kDeny, "commands.unreadable", "",
            "The command line that this tool would run cannot be told"};
  CommandVerdict said = commands.judge(*line);
  if (const auto read = read_line(arguments, false); read && *read != *line) {
    CommandVerdict other = commands.judge(*read);
    if (strictness(other.outcome) > strictness(said.outcome)) said = std::move(other);
  }
  if (said.rule_id.empty()) said.rule_id = "commands.defaults";
  return said;
}

}  // namespace aispm::policy
