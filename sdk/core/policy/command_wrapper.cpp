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

// An option is here only when no value of it writes a file, names a program or moves to another
// folder; with any other it cannot be said what starts.
constexpr std::array<Wrapper, 13> kWrappers = {{
    {"env", "u", "i0v", 0},
    {"nohup", "", "", 0},
    {"nice", "n", "", 0},
    {"ionice", "cn", "t", 0},
    {"time", "", "pav", 0},
    {"timeout", "sk", "fpv", 1},
    {"stdbuf", "ioe", "", 0},
    {"setsid", "", "cfw", 0},
    {"command", "", "p", 0},
    {"exec", "", "cl", 0},
    {"builtin", "", "", 0},
    {"chronic", "", "ve", 0},
    {"unbuffer", "", "p", 0},
}};
// Programs in their own right, which a rule must name, and which start others that are judged, too.
constexpr std::array<Wrapper, 7> kLaunchers = {{
    {"sudo", "ugpCThrt", "AbEHknPS", 0},
    {"doas", "u", "n", 0},
    {"xargs", "ILnPsdE", "0rtxop", 0},
    {"chrt", "TPD", "abdfiRrv", 1},
    {"taskset", "", "ac", 1},
    {"flock", "wE", "sxneuoFv", 1},
    {"watch", "n", "bcegtwxdp", 0},
}};

constexpr std::array<std::string_view, 5> kShells = {"sh", "bash", "dash", "ash", "rbash"};
// Their grammars differ from the one that reads scripts here.
constexpr std::array<std::string_view, 14> kOtherShells = {
    "zsh",  "ksh", "ksh93", "mksh",   "lksh", "oksh",  "yash",
    "fish", "csh", "tcsh",  "elvish", "nu",   "xonsh", "pwsh"};
constexpr std::array<std::string_view, 4> kFindActions = {"-exec", "-execdir", "-ok", "-okdir"};
constexpr std::string_view kShellFlags = "ceilux";

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
  for (int left = wrapper.operands; left > 0 && at < words.size(); --left, ++at)
    if (!words[at].is_fixed) return stuck(name + " is given a word that is made at run time");
  Unwrapped result;
  if (wrapper.name == "env" || wrapper.name == "sudo") {
    for (; at < words.size() && words[at].text.find('=') != std::string::npos; ++at) {
      // Made at run time it may be several words, and the second a program.
      if (!words[at].is_fixed) return stuck(name + " is given a word that is made at run time");
      const std::size_t equals = words[at].text.find('=');
      result.assignments.push_back(
          {words[at].text.substr(0, equals), {words[at].text.substr(equals + 1), true}});
    }
  }
  if (at >= words.size()) return result;
  if (words[at].text.starts_with('-'))
    return stuck(name + " with `" + words[at].text + "` is not understood");
  result.words.assign(words.begin() + static_cast<std::ptrdiff_t>(at), words.end());
  return result;
}

bool is_shell_flags(const std::string& word) {
  return word.size() > 1 && word[0] == '-' &&
         word.find_first_not_of(kShellFlags, 1) == std::string::npos;
}

// `bash -lc 'script' name args`; nothing without `-c`.
std::optional<Unwrapped> unwrap_shell(std::span<const ShellWord> words) {
  for (std::size_t at = 1; at < words.size(); ++at) {
    if (!words[at].is_fixed) return stuck("a shell is given a word that is made at run time");
    const std::string& word = words[at].text;
    if (word.empty() || (word[0] != '-' && word[0] != '+')) return std::nullopt;
    if (word[0] == '+' || word.rfind("--", 0) == 0)
      return stuck("a shell with `" + word + "` is not understood");
    if (!is_shell_flags(word)) return stuck("a shell with `" + word + "` is not understood");
    if (word.find('c') == std::string::npos) continue;
    // Options may stand between -c and the script, too.
    for (++at; at < words.size() && words[at].is_fixed; ++at) {
      const std::string& next = words[at].text;
      if (next == "--") {
        ++at;
        break;
      }
      if (next.empty() || (next[0] != '-' && next[0] != '+')) break;
      if (!is_shell_flags(next)) return stuck("a shell with `" + next + "` is not understood");
    }
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

Unwrapped unwrap_trap(std::span<const ShellWord> words) {
  std::size_t at = words[1].is_fixed && words[1].text == "--" ? 2 : 1;
  const ShellWord& script = words[at];
  if (!script.is_fixed) return stuck("trap is given text that is made at run time");
  Unwrapped result;
  if (script.text == "-" || (at == 1 && (script.text == "-p" || script.text == "-l")))
    return result;
  if (script.text.starts_with('-'))
    return stuck("trap with `" + script.text + "` is not understood");
  result.script = script.text;
  return result;
}

// `find . -exec rm {} + -o -exec ls {} ;`
std::vector<Unwrapped> started_by_find(std::span<const ShellWord> words) {
  std::vector<Unwrapped> started;
  for (std::size_t at = 1; at < words.size(); ++at) {
    if (!words[at].is_fixed) return {stuck("find is given a word that is made at run time")};
    if (!contains(kFindActions, words[at].text)) continue;
    Unwrapped one;
    for (++at; at < words.size() && words[at].text != ";" && words[at].text != "+"; ++at) {
      const bool holds_file = words[at].text.find("{}") != std::string::npos;
      one.words.push_back({words[at].text, words[at].is_fixed && !holds_file});
    }
    started.push_back(std::move(one));
  }
  return started;
}

// What `watch` and `flock -c` start is a shell's script, not words.
Unwrapped as_script(Unwrapped started) {
  std::string script;
  for (const ShellWord& word : started.words) {
    if (!word.is_fixed) return stuck("a script is made at run time");
    script += word.text + " ";
  }
  started.words.clear();
  started.script = script;
  return started;
}

}  // namespace

std::string_view base_name(std::string_view program) {
  return program.substr(program.rfind('/') + 1);
}

bool is_of_system(std::string_view program) {
  constexpr std::array<std::string_view, 7> kFolders = {
      "/bin/",           "/sbin/",           "/usr/bin/",         "/usr/sbin/",
      "/usr/local/bin/", "/usr/local/sbin/", "/opt/homebrew/bin/"};
  const auto folder = program.substr(0, program.rfind('/') + 1);
  return folder.empty() || contains(kFolders, folder);
}

std::optional<Unwrapped> unwrap(std::span<const ShellWord> words) {
  const std::string_view name = base_name(words[0].text);
  if (contains(kShells, name)) return unwrap_shell(words);
  if (contains(kOtherShells, name)) {
    const bool is_file = std::all_of(words.begin() + 1, words.end(), [](const ShellWord& word) {
      return word.is_fixed && !word.text.starts_with('-') && !word.text.starts_with('+');
    });
    if (is_file) return std::nullopt;
    return stuck("the grammar of " + std::string(name) + " is not known here");
  }
  if (name == "eval") return unwrap_eval(words);
  if (name == "trap" && words.size() > 2) return unwrap_trap(words);
  const auto* wrapper = std::find_if(kWrappers.begin(), kWrappers.end(),
                                     [&](const Wrapper& one) { return one.name == name; });
  if (wrapper == kWrappers.end()) return std::nullopt;
  // `command -v name` asks where a program is and starts none.
  if (name == "command" && words.size() > 1 && (words[1].text == "-v" || words[1].text == "-V"))
    return Unwrapped{};
  return unwrap_plain(*wrapper, words);
}

std::vector<Unwrapped> launched(std::span<const ShellWord> words) {
  const std::string_view name = base_name(words[0].text);
  if (name == "find") return started_by_find(words);
  const auto* launcher = std::find_if(kLaunchers.begin(), kLaunchers.end(),
                                      [&](const Wrapper& one) { return one.name == name; });
  if (launcher == kLaunchers.end()) return {};
  Unwrapped started = unwrap_plain(*launcher, words);
  if (!started.obstacle.empty()) return {started};
  if (name == "watch") return {as_script(std::move(started))};
  // Its arguments come from its input.
  if (name == "xargs" && !started.words.empty()) {
    for (std::size_t at = 1; at < started.words.size(); ++at) started.words[at].is_fixed = false;
    started.words.push_back({"$input", false});
  }
  return {started};
}

}  // namespace aispm::policy
