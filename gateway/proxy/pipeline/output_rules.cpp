// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/pipeline/output_rules.hpp"

#include "sdk/core/policy/strictness.hpp"

namespace aispm::gateway {
namespace {

using model::Outcome;

OutcomeTables::Table strengthened(const RuleBook& book, const OutcomeTables::Table& table,
                                  const OutputRules& said, bool is_editable, bool takes_weak) {
  auto stricter = std::make_shared<detect::Outcomes>(*table);
  const auto& rules = book.engine->rules();
  for (std::size_t i = 0; i < stricter->size(); ++i) {
    if ((*stricter)[i] == Outcome::kUnspecified) continue;  // nobody is to look for it
    const OutputRules::Word* const word = said.of(detect::name_of(rules[i].category));
    if (word == nullptr || word->outcome == Outcome::kAllow) continue;
    if (!takes_weak && rules[i].is_weak_on(detect::Surface::kReply)) continue;
    const bool denies = word->outcome == Outcome::kDeny || !is_editable;
    const Outcome outcome = denies ? Outcome::kDeny : Outcome::kRedact;
    if (policy::strictness(outcome) > policy::strictness((*stricter)[i])) (*stricter)[i] = outcome;
  }
  return stricter;
}

}  // namespace

const OutputRules::Word* OutputRules::of(std::string_view category) const {
  if (category == detect::name_of(detect::Category::kSecret)) return &secret;
  return category == detect::name_of(detect::Category::kPii) ? &pii : nullptr;
}

std::shared_ptr<const OutcomeTables> with_output(const RuleBook& book, const OutcomeTables& tables,
                                                 const OutputRules& rules) {
  constexpr auto kReply = static_cast<std::size_t>(detect::Surface::kReply);
  auto stricter = std::make_shared<OutcomeTables>(tables);
  stricter->reply[kReply] = strengthened(book, tables.reply[kReply], rules, true, true);
  stricter->stream[kReply] = strengthened(book, tables.stream[kReply], rules, true, false);
  stricter->sealed_reply = strengthened(book, tables.sealed_reply, rules, false, true);
  stricter->sealed_stream = strengthened(book, tables.sealed_stream, rules, false, false);
  return stricter;
}

}  // namespace aispm::gateway
