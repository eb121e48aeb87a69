// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/detect/rule.hpp"

namespace aispm::detect {

// What is done with each rule's matches, by rule index: kRedact and kDeny keep the match from
// leaving, kAllow only records it, kUnspecified ignores the rule. policy::Policy::outcomes() makes
// one.
using Outcomes = std::vector<model::Outcome>;

// Masked evidence of a match, never more than 64 bytes besides Mask::kText (160).
std::string mask(std::string_view matched, Mask style);

// "[REDACTED:<rule id>]"
void append_redaction(const Rule& rule, std::string& out);

// How a withheld value is written. Not thread-safe unless it says so.
class Redactor {
 public:
  virtual ~Redactor() = default;
  virtual void append(const Rule& rule, std::string_view value, std::string& out) = 0;
};

// "[REDACTED:<rule id>]"; any thread.
class LabelRedactor final : public Redactor {
 public:
  void append(const Rule& rule, std::string_view, std::string& out) override {
    append_redaction(rule, out);
  }
};

// Appends `text` to `out` with every match whose rule has outcome kRedact or kDeny replaced by
// "[REDACTED:<rule id>]". Overlapping matches become one replacement, named after the first of them
// in match order. `matches` as Engine::scan leaves them. Returns how many replacements were made.
std::size_t redact(const std::vector<Rule>& rules, std::string_view text,
                   std::span<const Match> matches, const Outcomes& outcomes, std::string& out);

}  // namespace aispm::detect
