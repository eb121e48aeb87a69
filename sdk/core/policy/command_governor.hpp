// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sdk/core/model/event.hpp"

// Judges shell command lines by what they would run: every program in lists, pipelines,
// substitutions, functions and behind wrappers (`env`, `timeout`, `sh -c`, ...) is judged by
// itself, and the strictest outcome stands. What cannot be said beforehand gets the default
// outcome.
//
// A pattern is words: `npm test` is this program with exactly these arguments, a last `*` takes any
// further ones, `*` within a word any characters of one word. Allowing reads strictly: the
// program's name as written, every argument known beforehand unless the last `*` takes it. Denying
// and asking read loosely: any path to the program, flags in any order and form (`rm -rf *` is also
// `/bin/rm -r -f /`).
namespace aispm::policy {

struct CommandRule {
  std::string id;
  std::string pattern;                             // 1 to 512 bytes
  model::Outcome outcome = model::Outcome::kDeny;  // allow, deny, require_approval
  std::string reason;
  std::string place = {};  // "commands.yaml:12"
};

struct CommandVerdict {
  model::Outcome outcome = model::Outcome::kDeny;
  std::string rule_id;  // empty: the default
  std::string command;  // the program that decided, with its arguments; empty: none was read
  std::string reason;
};

class CommandGovernor {
 public:
  static constexpr std::size_t kMaxRules = 1000;
  static constexpr std::size_t kMaxPatternBytes = 512;

  // `fallback`: for programs that no rule names, and for what cannot be said.
  static Result<CommandGovernor> compile(const std::vector<CommandRule>& rules,
                                         model::Outcome fallback);
  // Any thread.
  CommandVerdict judge(std::string_view script) const;
  std::size_t rule_count() const { return rules_.size(); }
  // The rule of that id; null: there is none.
  const CommandRule* find(std::string_view id) const {
    for (const Rule& rule : rules_)
      if (rule.source.id == id) return &rule.source;
    return nullptr;
  }

 private:
  struct Rule {
    CommandRule source;
    std::vector<std::string> words;
    bool takes_more = false;  // a last `*`
  };
  class Judge;
  std::vector<Rule> rules_;
  model::Outcome fallback_ = model::Outcome::kDeny;
};

}  // namespace aispm::policy
