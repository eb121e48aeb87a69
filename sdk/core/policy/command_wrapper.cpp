// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/command_wrapper.hpp"

#include <algorithm>
#include <array>

namespace aispm::policy {
namespace {

struct Wrapper {
  std::string_view name;
  std::string_view value_flags;  // letters of short options that take the next word
  std::string_view plain_flags;
  int operands;  // words before the program: the seconds of `timeout`
};

constexpr std::array<Wrapper, 13> kWrappers = {{
    {"env", "uC", "i0v", 0},
    {"nohup", "", "", 0},
    {"nice", "n", "", 0},
    {"ionice", "cn", "t", 0},
    {"time", "fo", "pav", 0},
    {"timeout", "sk", "fpv", 1},
    {"stdbuf", "ioe", "", 0},
    {"setsid", "", "cfw", 0},
    {"command", "", "p", 0},
    {"exec", "a", "cl", 0},
    {"builtin", "", "", 0},
    {"chronic", "", "ve", 0},
    {"unbuffer", "", "p", 0},
}};

constexpr std::array<std::string_view, 8> kShells = {"sh",  "bash", "dash", "zsh",
                                                     "ksh", "ash",  "mksh", "rbash"};
constexpr std::array<std::string_view, 12> kHarmless = {"true",   "false", ":",        "exit",
                                                        "return", "break", "continue", "wait",
                                                        "echo",   "pwd",   "shift",    "sleep"};
constexpr std::array<std::string_view, 30> kVariables = {
    "PATH",           "IFS",           "ENV",
    "BASH_ENV",       "BASH_FUNC",     "PS4",
    "PROMPT_COMMAND", "SHELLOPTS",     "BASHOPTS",
    "CDPATH",         "HOME",          "SHELL",
    "EDITOR",         "VISUAL",        "PAGER",
    "BROWSER",        "NODE_OPTIONS",  "NODE_PATH",
    "PYTHONPATH",     "PYTHONSTARTUP", "PYTHONHOME",
    "PYTHONINSPECT",  "PERL5LIB",      "PERL5OPT",
    "RUBYOPT",        "RUBYLIB",       "JAVA_TOOL_OPTIONS",
    "CLASSPATH",      "MAKEFLAGS",     "TMPDIR"};
constexpr std::array<std::string_view, 8> kVariablePrefixes = {
    "LD_", "DYLD_", "GIT_", "BASH_FUNC_", "npm_config_", "NPM_CONFIG_", "PIP_", "CARGO_"};

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

Unwrapped stuck(std::string why) {
  Unwrapped result;
  result.obstacle = std::move(why);
  return result;
}

Unwrapped unwrap_plain(const Wrapper& wrapper, std::span<const ShellWord> words) {
  const std::string name(wrapper.name);
  std::size_t at = 1;
  for (; at < words.size(); ++at) {
    if (!words[at].is_fixed) return stuck(name + " is given a word that is made at run time");
    const std::string& word = words[at].text;
    if (word.size() < 2 || word[0] != '-') break;
    if (word == "--") {
      ++at;
      break;
    }
    // `nice -5` has a number for a flag.
    if (word.find_first_not_of("0123456789", 1) == std::string::npos && wrapper.name == "nice")
      continue;
    const char last = word.back();
    const bool known = std::all_of(word.begin() + 1, word.end() - 1, [&](char c) {
      return wrapper.plain_flags.find(c) != std::string_view::npos;
    });
    if (known && wrapper.plain_flags.find(last) != std::string_view::npos) continue;
    if (known && wrapper.value_flags.find(last) != std::string_view::npos) {
      ++at;
      if (at < words.size() && !words[at].is_fixed)
        return stuck(name + " is given a word that is made at run time");
      continue;
    }
    // A value in the same word: `-n5`.
    if (wrapper.value_flags.find(word[1]) != std::string_view::npos) continue;
    return stuck(name + " with `" + word + "` is not understood");
  }
  at += static_cast<std::size_t>(wrapper.operands);
  Unwrapped result;
  if (wrapper.name == "env") {
    for (; at < words.size() && words[at].text.find('=') != std::string::npos; ++at) {
      const std::size_t equals = words[at].text.find('=');
      result.assignments.push_back({words[at].text.substr(0, equals),
                                    {words[at].text.substr(equals + 1), words[at].is_fixed}});
    }
  }
  if (at < words.size())
    result.words.assign(words.begin() + static_cast<std::ptrdiff_t>(at), words.end());
  return result;
}

// `bash -lc 'script' name args`; nothing without `-c`.
std::optional<Unwrapped> unwrap_shell(std::span<const ShellWord> words) {
  for (std::size_t at = 1; at < words.size(); ++at) {
    if (!words[at].is_fixed) return stuck("a shell is given a word that is made at run time");
    const std::string& word = words[at].text;
    if (word.empty() || (word[0] != '-' && word[0] != '+')) return std::nullopt;
    if (word[0] == '+' || word.rfind("--", 0) == 0)
      return stuck("a shell with `" + word + "` is not understood");
    const bool takes_script = word.find('c') != std::string::npos;
    if (word.find_first_not_of("ceilux", 1) != std::string::npos)
      return stuck("a shell with `" + word + "` is not understood");
    if (!takes_script) continue;
    ++at;
    while (at < words.size() && words[at].is_fixed && words[at].text.rfind("-", 0) == 0) ++at;
    if (at >= words.size() || !words[at].is_fixed)
      return stuck("the script of a shell is made at run time");
    // `$0`, `$1` ... of the script make it run-time text, so they are not fixed there.
    Unwrapped result;
    result.script = words[at].text;
    return result;
  }
  return std::nullopt;
}

Unwrapped unwrap_eval(std::span<const ShellWord> words) {
  Unwrapped result;
  result.script = "";
  for (const ShellWord& word : words.subspan(1)) {
    if (!word.is_fixed) return stuck("eval is given text that is made at run time");
    *result.script += word.text + " ";
  }
  return result;
}

}  // namespace

std::string_view base_name(std::string_view program) {
  return program.substr(program.rfind('/') + 1);
}

bool is_harmless(std::string_view program) { return contains(kHarmless, program); }

bool changes_programs(std::string_view variable) {
  return contains(kVariables, variable) ||
         std::any_of(
             kVariablePrefixes.begin(), kVariablePrefixes.end(),
             [&](std::string_view prefix) { return variable.substr(0, prefix.size()) == prefix; });
}

std::optional<Unwrapped> unwrap(std::span<const ShellWord> words) {
  const std::string_view name = base_name(words[0].text);
  if (contains(kShells, name)) return unwrap_shell(words);
  if (name == "eval") return unwrap_eval(words);
  if (name == "trap" && words.size() > 2) {
    if (!words[1].is_fixed) return stuck("trap is given text that is made at run time");
    Unwrapped result;
    if (words[1].text != "-" && words[1].text != "--") result.script = words[1].text;
    return result;
  }
  const auto* wrapper = std::find_if(kWrappers.begin(), kWrappers.end(),
                                     [&](const Wrapper& one) { return one.name == name; });
  if (wrapper == kWrappers.end()) return std::nullopt;
  // `command -v name` asks where a program is and starts none.
  if (name == "command" && words.size() > 1 && (words[1].text == "-v" || words[1].text == "-V"))
    return Unwrapped{};
  return unwrap_plain(*wrapper, words);
}

}  // namespace aispm::policy
