// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/command_governor.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <sstream>
#include <unordered_set>

#include "sdk/core/policy/command_builtin.hpp"
#include "sdk/core/policy/command_variables.hpp"
#include "sdk/core/policy/command_wrapper.hpp"
#include "sdk/core/policy/glob.hpp"

namespace aispm::policy {
namespace {

using model::Outcome;

constexpr int kMaxScripts = 4;  // `sh -c` within `sh -c`
constexpr std::size_t kMaxShown = 200;

int rank(Outcome outcome) {
  switch (outcome) {
    case Outcome::kAllow:
      return 0;
    case Outcome::kRequireApproval:
      return 1;
    default:
      return 2;
  }
}

bool is_flag(std::string_view word) { return word.size() > 1 && word[0] == '-'; }

// Long options that are known to be the same as a letter.
constexpr std::array<std::pair<std::string_view, char>, 3> kLongOptions = {
    {{"--recursive", 'r'}, {"--force", 'f'}, {"--delete", 'd'}}};

// The letters of short options: `-r -f`, `-fr` and `--recursive --force` are all {r, f}.
std::set<char> letters_of(std::span<const ShellWord> words) {
  std::set<char> letters;
  for (const ShellWord& word : words) {
    if (!is_flag(word.text)) continue;
    if (word.text[1] != '-') letters.insert(word.text.begin() + 1, word.text.end());
    for (const auto& [name, letter] : kLongOptions)
      if (word.text == name) letters.insert(letter);
  }
  return letters;
}

std::string show(std::span<const ShellWord> words) {
  std::string text;
  for (const ShellWord& word : words) text += (text.empty() ? "" : " ") + word.text;
  if (text.size() > kMaxShown) text = text.substr(0, kMaxShown) + "...";
  return text;
}

}  // namespace

// Judges one script and everything in it.
class CommandGovernor::Judge {
 public:
  Judge(const CommandGovernor& governor, CommandVerdict& verdict)
      : governor_(governor), verdict_(verdict) {}

  void judge_script(std::string_view script, int depth) {
    if (depth > kMaxScripts)
      return fall_back("", "scripts within scripts are not looked into further");
    const auto commands = parse_shell(script);
    if (!commands) return fall_back("", commands.error().message);
    for (const ShellCommand& command : *commands) judge_command(command, depth);
  }

 private:
  void judge_command(const ShellCommand& command, int depth) {
    judge_assignments(command.assignments);
    for (const ShellRedirect& redirect : command.redirects) judge_redirect(redirect);
    judge_words(command.words, depth);
  }

  void judge_words(std::span<const ShellWord> words, int depth) {
    if (words.empty()) return;
    if (!words[0].is_fixed) return fall_back(show(words), "the program's name is made at run time");
    if (const auto inner = unwrap(words)) {
      judge_restrictions(words);
      if (!is_of_system(words[0].text)) judge_program(words);
      return judge_started(*inner, words, depth);
    }
    for (const Unwrapped& started : launched(words)) judge_started(started, words, depth);
    judge_program(words);
  }

  // `words` start `inner`.
  void judge_started(const Unwrapped& inner, std::span<const ShellWord> words, int depth) {
    if (!inner.obstacle.empty()) return fall_back(show(words), inner.obstacle);
    judge_assignments(inner.assignments);
    if (inner.script) return judge_script(*inner.script, depth + 1);
    if (depth > kMaxScripts) return fall_back(show(words), "too many wrappers");
    if (inner.words.empty()) return add(Outcome::kAllow, nullptr, show(words), "starts no program");
    judge_words(inner.words, depth + 1);
  }

  // A rule may deny or ask about a wrapper itself (`nohup *`); none needs to allow it.
  void judge_restrictions(std::span<const ShellWord> words) {
    for (const Rule& rule : governor_.rules_) {
      // `*` speaks of programs in general, and that which is started is judged by it.
      if (base_name(rule.words[0]) != base_name(words[0].text)) continue;
      const bool is_allowing = rule.source.outcome == Outcome::kAllow;
      if (is_allowing ? matches_strictly(rule, words) : matches_loosely(rule, words)) {
        if (is_allowing) return;
        return add(rule.source.outcome, &rule, show(words), rule.source.reason);
      }
    }
  }

  void judge_program(std::span<const ShellWord> words) {
    if (is_harmless(words)) return add(Outcome::kAllow, nullptr, show(words), "starts no program");
    if (const std::string danger = danger_of_builtin(words); !danger.empty())
      fall_back(show(words), danger);
    // What stands behind the first word may be a program, too: `sudo rm`, `xargs rm`, `find -exec
    // rm`. A rule for all programs that asks for no argument is about the first: any word would
    // fit it.
    for (std::size_t at = 1; at < words.size(); ++at)
      for (const Rule& rule : governor_.rules_)
        if (rule.source.outcome == Outcome::kDeny && !is_catch_all(rule) &&
            matches_loosely(rule, words.subspan(at)))
          return add(Outcome::kDeny, &rule, show(words), rule.source.reason);
    for (const Rule& rule : governor_.rules_) {
      const bool strict = rule.source.outcome == Outcome::kAllow;
      if (strict ? matches_strictly(rule, words) : matches_loosely(rule, words))
        return add(rule.source.outcome, &rule, show(words), rule.source.reason);
    }
    fall_back(show(words), "no rule names this program with these arguments");
  }

  void judge_assignments(const std::vector<ShellAssignment>& assignments) {
    for (const ShellAssignment& one : assignments) {
      if (changes_programs(one.name))
        fall_back(one.name + "=...", "sets a variable that changes what programs do");
      if (runs_commands(one))
        fall_back(one.name + "=...", "sets a variable that the shell computes from the value");
    }
  }

  void judge_redirect(const ShellRedirect& redirect) {
    if (redirect.op == "<<<") return;  // text of the script itself
    static const std::unordered_set<std::string> kDevices = {"/dev/null", "/dev/stdout",
                                                             "/dev/stderr"};
    if (redirect.target.is_fixed && kDevices.contains(redirect.target.text)) return;
    judge_program(std::vector<ShellWord>{{redirect.op, true}, redirect.target});
  }

  static bool is_catch_all(const Rule& rule) {
    return rule.words.size() == 1 && rule.words[0].find_first_not_of("*?/") == std::string::npos;
  }

  static bool matches_strictly(const Rule& rule, std::span<const ShellWord> words) {
    if (words.size() < rule.words.size()) return false;
    if (words.size() > rule.words.size() && !rule.takes_more) return false;
    for (std::size_t i = 0; i < rule.words.size(); ++i)
      if (!words[i].is_fixed || !glob_matches(rule.words[i], words[i].text)) return false;
    return true;
  }

  // An argument made at run time may be whatever the rule looks for.
  static bool is_open(const ShellWord& word) {
    return !word.is_fixed && word.text.find('$') != std::string::npos;
  }

  static bool matches_loosely(const Rule& rule, std::span<const ShellWord> words) {
    if (!words[0].is_fixed) return false;
    if (!glob_matches(base_name(rule.words[0]), base_name(words[0].text))) return false;
    const bool any_flags = std::any_of(words.begin() + 1, words.end(), is_open);
    const std::set<char> letters = letters_of(words);
    std::size_t at = 1;
    for (std::size_t i = 1; i < rule.words.size(); ++i) {
      const std::string& wanted = rule.words[i];
      if (is_flag(wanted) && wanted[1] != '-') {
        const bool has_all = std::all_of(wanted.begin() + 1, wanted.end(),
                                         [&](char c) { return letters.contains(c); });
        if (!has_all && !any_flags) return false;
        continue;
      }
      at = find_word(wanted, words, at);
      if (at == 0) return false;
    }
    return true;
  }

  // The place behind `wanted`, past options and the values that may follow them; 0: not there.
  static std::size_t find_word(const std::string& wanted, std::span<const ShellWord> words,
                               std::size_t at) {
    for (; at < words.size(); ++at) {
      if (is_open(words[at]) || glob_matches(wanted, words[at].text)) return at + 1;
      const bool may_skip = is_flag(words[at].text) || is_flag(words[at - 1].text);
      if (!may_skip) return 0;
    }
    return 0;
  }

  void fall_back(const std::string& command, const std::string& reason) {
    add(governor_.fallback_, nullptr, command, reason);
  }

  void add(Outcome outcome, const Rule* rule, const std::string& command,
           const std::string& reason) {
    if (any_ && rank(outcome) <= rank(verdict_.outcome)) return;
    any_ = true;
    verdict_ = {outcome, rule == nullptr ? "" : rule->source.id, command, reason};
  }

  const CommandGovernor& governor_;
  CommandVerdict& verdict_;
  bool any_ = false;
};

Result<CommandGovernor> CommandGovernor::compile(const std::vector<CommandRule>& rules,
                                                 model::Outcome fallback) {
  if (rules.size() > kMaxRules)
    return fail(Errc::kTooLarge, "commands: more than " + std::to_string(kMaxRules) + " rules");
  CommandGovernor governor;
  governor.fallback_ = fallback;
  for (const CommandRule& source : rules) {
    if (source.pattern.size() > kMaxPatternBytes)
      return fail(Errc::kTooLarge, source.id + ": pattern longer than " +
                                       std::to_string(kMaxPatternBytes) + " bytes");
    Rule rule;
    rule.source = source;
    std::istringstream stream(source.pattern);
    for (std::string word; stream >> word;) rule.words.push_back(word);
    rule.takes_more = rule.words.size() > 1 && rule.words.back() == "*";
    if (rule.takes_more) rule.words.pop_back();
    if (rule.words.empty())
      return fail(Errc::kInvalid, source.id + ": the pattern is empty; `*` means any program");
    const bool known = source.outcome == Outcome::kAllow || source.outcome == Outcome::kDeny ||
                       source.outcome == Outcome::kRequireApproval;
    if (!known)
      return fail(Errc::kInvalid, source.id + ": outcome must be allow, deny or require_approval");
    governor.rules_.push_back(std::move(rule));
  }
  return governor;
}

CommandVerdict CommandGovernor::judge(std::string_view script) const {
  CommandVerdict verdict{fallback_, "", "", "starts no program"};
  Judge(*this, verdict).judge_script(script, 0);
  return verdict;
}

}  // namespace aispm::policy
