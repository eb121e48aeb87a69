// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/command_builtin.hpp"

#include <algorithm>
#include <array>

#include "sdk/core/policy/command_variables.hpp"

namespace aispm::policy {
namespace {

constexpr std::array<std::string_view, 11> kHarmless = {
    "true", "false", ":", "exit", "return", "break", "continue", "echo", "pwd", "shift", "sleep"};

// Builtins whose words are names of variables. The index in such a name is expanded.
constexpr std::array<std::string_view, 13> kNaming = {
    "read",    "unset",   "declare",   "typeset", "local", "readonly", "export",
    "getopts", "mapfile", "readarray", "printf",  "wait",  "let"};

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

bool is_option(const ShellWord& word) { return word.text.starts_with('-'); }

// `$!` is a number, whatever the script does.
bool is_known(const ShellWord& word) { return word.is_fixed || word.text == "$!"; }

// Of one word of a builtin that takes names.
std::string danger_of_name(std::string_view builtin, const ShellWord& word) {
  const std::string who(builtin);
  if (!is_known(word)) return who + " is given a name that is made at run time";
  const std::string::size_type equals = word.text.find('=');
  const std::string name = word.text.substr(0, equals);
  if (name.find('[') != std::string::npos) return who + " expands the index in `" + name + "`";
  // `read -aPATH` has the name in the option's word.
  bool changes = changes_programs(name);
  for (std::size_t at = 2; is_option(word) && at < name.size(); ++at)
    changes |= changes_programs(name.substr(at));
  if (changes) return who + " sets a variable that changes what programs do";
  if (equals != std::string::npos && runs_commands({name, {word.text.substr(equals + 1), true}}))
    return who + " computes the value of `" + name + "`";
  return "";
}

// printf takes a name only behind -v; a first word made at run time may be just that.
std::string danger_of_printf(std::span<const ShellWord> words) {
  if (words.size() < 2) return "";
  if (!words[1].is_fixed) return "printf is given a format that is made at run time";
  if (!words[1].text.starts_with("-v")) return "";
  if (words[1].text.size() > 2)
    return danger_of_name("printf", {words[1].text.substr(2), words[1].is_fixed});
  return words.size() > 2 ? danger_of_name("printf", words[2]) : "";
}

// `test -v NAME` expands an index in NAME. A word made at run time may be several, `-v` among them.
std::string danger_of_test(std::span<const ShellWord> words) {
  for (std::size_t at = 1; at < words.size(); ++at) {
    if (!words[at].is_fixed) return "test is given a word that is made at run time";
    const bool is_name = words[at - 1].text == "-v" || words[at - 1].text == "-R";
    if (is_name && words[at].text.find('[') != std::string::npos)
      return "test expands the index in `" + words[at].text + "`";
  }
  return "";
}

}  // namespace

bool is_harmless(std::span<const ShellWord> words) {
  // `wait -p NAME` expands an index in NAME.
  if (words[0].text == "wait")
    return std::all_of(words.begin() + 1, words.end(),
                       [](const ShellWord& word) { return is_known(word) && !is_option(word); });
  return contains(kHarmless, words[0].text);
}

std::string danger_of_builtin(std::span<const ShellWord> words) {
  const std::string& name = words[0].text;
  if (name == "test" || name == "[") return danger_of_test(words);
  if (name == "printf") return danger_of_printf(words);
  if (!contains(kNaming, name)) return "";
  for (const ShellWord& word : words.subspan(1)) {
    if ((name == "mapfile" || name == "readarray") && word.text.starts_with("-C"))
      return name + " -C runs a script";
    if (name == "let" && word.text.find_first_not_of("0123456789+-*/% ") != std::string::npos)
      return "let computes with variables, and that may run commands";
    if (std::string why = danger_of_name(name, word); !why.empty()) return why;
  }
  return "";
}

}  // namespace aispm::policy
