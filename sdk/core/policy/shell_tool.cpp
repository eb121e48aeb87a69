// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/shell_tool.hpp"

#include <algorithm>
#include <array>

#include "sdk/core/policy/command_wrapper.hpp"
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
// The program that gets the line to run it, as of Node's `shell` and Python's `executable`.
constexpr std::array<std::string_view, 3> kRunners = {"shell", "executable", "interpreter"};

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

// A name of nothing but such words, a shell's among them or an operating system's commands:
// `run_bash`, `shell_exec`, `bash_tool`, `ssh_exec`, `os_command`. What may as well be something
// else (`system`, `run_script` of a package) does not count: its calls would be denied for having
// no command line.
bool is_of_shell_words(std::string_view name) {
  constexpr std::array<std::string_view, 9> kNames = {
      "bash", "sh", "zsh", "shell", "terminal", "powershell", "pwsh", "cmd", "ssh"};
  constexpr std::array<std::string_view, 2> kSystems = {"os", "system"};
  constexpr std::array<std::string_view, 2> kCommands = {"command", "commands"};
  constexpr std::array<std::string_view, 15> kOthers = {
      "run", "exec",  "execute", "command", "commands", "line",   "tool",  "in",
      "the", "local", "os",      "system",  "power",    "script", "remote"};
  const auto has = [](const auto& known, const std::string& word) {
    return std::find(known.begin(), known.end(), word) != known.end();
  };
  const std::vector<std::string> words = words_of(name);
  const auto has_any = [&](const auto& known) {
    return std::any_of(words.begin(), words.end(),
                       [&](const std::string& word) { return has(known, word); });
  };
  return (has_any(kNames) || (has_any(kSystems) && has_any(kCommands))) &&
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

// Shells that read a line as it is read here, where systems have them. A file of that name in
// another folder may be anything.
bool is_known_shell(std::string_view program) {
  constexpr std::array<std::string_view, 7> kNames = {"sh",  "bash", "dash", "ash",
                                                      "zsh", "ksh",  "mksh"};
  if (!is_of_system(program)) return false;
  program = base_name(program);
  return std::find(kNames.begin(), kNames.end(), program) != kNames.end();
}

// The start of the command line that `member` makes of another: "'/x/run' ". "" = it names no
// program (`shell: true`), or a known shell.
std::string read_runner(const std::vector<Arguments::Leaf>& arguments, std::string_view member,
                        bool as_words) {
  std::string runner;
  std::size_t words = 0;
  bool is_known = false;
  for (const Arguments::Leaf& leaf : arguments) {
    if (member_of(leaf.path) != member) continue;
    const auto* const text = std::get_if<std::string>(&leaf.value);
    if (text == nullptr || text->empty()) continue;
    is_known = ++words == 1 && is_known_shell(*text);
    const bool is_word = as_words || leaf.path != member;
    runner.append(is_word ? quoted(*text) : *text).append(" ");
  }
  return is_known ? std::string() : runner;
}

// Every command line that the call may mean: the command itself, and each program that is to run
// it, with the command as its argument (not behind `-c`: what is called bash and stands anywhere
// would count as one). The first is the command; nothing when that cannot be told.
std::vector<std::string> read_lines(const std::vector<Arguments::Leaf>& arguments) {
  std::vector<std::string> lines;
  const auto add = [&](std::string line) {
    if (std::find(lines.begin(), lines.end(), line) == lines.end())
      lines.push_back(std::move(line));
  };
  for (const bool as_words : {true, false}) {
    const auto line = read_line(arguments, as_words);
    if (!line) continue;
    add(*line);
    for (const std::string_view member : kRunners)
      if (const std::string runner = read_runner(arguments, member, as_words); !runner.empty())
        add(runner + quoted(*line));
  }
  return lines;
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
  const std::vector<std::string> lines = read_lines(arguments);
  if (lines.empty())
    return {model::Outcome::kDeny, "commands.unreadable", "",
            "The command line that this tool would run cannot be told"};
  CommandVerdict said = commands.judge(lines.front());
  for (std::size_t i = 1; i < lines.size(); ++i) {
    CommandVerdict other = commands.judge(lines[i]);
    if (strictness(other.outcome) > strictness(said.outcome)) said = std::move(other);
  }
  if (said.rule_id.empty()) said.rule_id = "commands.defaults";
  return said;
}

}  // namespace aispm::policy
