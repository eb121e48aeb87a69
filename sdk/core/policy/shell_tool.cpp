// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/shell_tool.hpp"

#include <algorithm>
#include <array>

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

// Letters only, small: `run_shell-command` and `RunShellCommand` are one name.
std::string plain(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c >= 'A' && c <= 'Z') out += static_cast<char>(c - 'A' + 'a');
    if (c >= 'a' && c <= 'z') out += c;
  }
  return out;
}

bool is_shell(std::string_view name) {
  return std::find(kShells.begin(), kShells.end(), plain(name)) != kShells.end();
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

}  // namespace

bool is_shell_tool(std::string_view tool) {
  for (const std::string_view mark : {"__", ".", "/", ":"})
    if (const auto at = tool.rfind(mark); at != std::string_view::npos)
      if (is_shell(tool.substr(at + mark.size()))) return true;
  return is_shell(tool);
}

bool is_command_argument(std::string_view path) {
  return std::find(kMembers.begin(), kMembers.end(), member_of(path)) != kMembers.end();
}

std::optional<std::string> shell_command(const std::vector<Arguments::Leaf>& arguments) {
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

CommandVerdict judge_shell_call(const CommandGovernor& commands,
                                const std::vector<Arguments::Leaf>& arguments) {
  const auto line = shell_command(arguments);
  if (!line)
    return {model::Outcome::kDeny, "commands.unreadable", "",
            "The command line that this tool would run cannot be told"};
  CommandVerdict said = commands.judge(*line);
  if (said.rule_id.empty()) said.rule_id = "commands.defaults";
  return said;
}

}  // namespace aispm::policy
