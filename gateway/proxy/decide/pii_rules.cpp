// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/decide/pii_rules.hpp"

#include <algorithm>

#include "sdk/core/policy/strictness.hpp"

namespace aispm::gateway {
namespace {

using model::Outcome;

bool is_pii(std::string_view category) {
  return category == detect::name_of(detect::Category::kPii);
}

OutcomeTables::Table strengthened(const RuleBook& book, const OutcomeTables::Table& table,
                                  const PiiWords& words, bool is_editable, bool takes_weak) {
  auto stricter = std::make_shared<detect::Outcomes>(*table);
  const auto& rules = book.engine->rules();
  for (std::size_t i = 0; i < stricter->size(); ++i) {
    if ((*stricter)[i] == Outcome::kUnspecified) continue;  // nobody is to look for it
    if (rules[i].category != detect::Category::kPii) continue;
    const auto word = words.find(rules[i].id);
    if (word == words.end()) continue;
    if (!takes_weak && rules[i].is_weak_on(detect::Surface::kReply)) continue;
    const bool denies = word->second.outcome == Outcome::kDeny || !is_editable;
    const Outcome outcome = denies ? Outcome::kDeny : Outcome::kRedact;
    if (policy::strictness(outcome) > policy::strictness((*stricter)[i])) (*stricter)[i] = outcome;
  }
  return stricter;
}

}  // namespace

PiiWords ask_about_kinds(const RuleBook& book,
                         const std::function<ActionVerdict(const std::string& kind)>& judge) {
  PiiWords words;
  for (const detect::Rule& rule : book.engine->rules()) {
    if (rule.category != detect::Category::kPii || words.contains(rule.id)) continue;
    ActionVerdict said = judge(rule.id);
    if (said.outcome == Outcome::kAllow) continue;
    words.emplace(rule.id,
                  OutputRules::Word{said.outcome, std::move(said.rule_id), std::move(said.reason)});
  }
  return words;
}

OutputRules::Word strictest(const PiiWords& words) {
  OutputRules::Word strictest;
  for (const auto& [kind, word] : words)
    if (policy::strictness(word.outcome) > policy::strictness(strictest.outcome)) strictest = word;
  return strictest;
}

std::shared_ptr<const OutcomeTables> with_pii_of_request(const RuleBook& book,
                                                         const OutcomeTables& tables,
                                                         const PiiWords& words) {
  auto stricter = std::make_shared<OutcomeTables>(tables);
  for (OutcomeTables::Table& table : stricter->request)
    table = strengthened(book, table, words, true, true);
  return stricter;
}

std::shared_ptr<const OutcomeTables> with_pii_of_reply(const RuleBook& book,
                                                       const OutcomeTables& tables,
                                                       const PiiWords& words) {
  constexpr auto kReply = static_cast<std::size_t>(detect::Surface::kReply);
  auto stricter = std::make_shared<OutcomeTables>(tables);
  stricter->reply[kReply] = strengthened(book, tables.reply[kReply], words, true, true);
  stricter->stream[kReply] = strengthened(book, tables.stream[kReply], words, true, false);
  stricter->sealed_reply = strengthened(book, tables.sealed_reply, words, false, true);
  stricter->sealed_stream = strengthened(book, tables.sealed_stream, words, false, false);
  return stricter;
}

bool are_withheld(const RuleBook& book, const OutcomeTables& tables,
                  const std::vector<model::Detection>& detections) {
  const auto& rules = book.engine->rules();
  return std::all_of(detections.begin(), detections.end(), [&](const model::Detection& found) {
    if (!is_pii(found.category)) return true;
    const auto surface = detect::parse_surface(found.surface);
    if (!surface) return false;
    const detect::Outcomes& outcomes = tables.of_request(*surface);
    bool is_known = false;
    for (std::size_t i = 0; i < rules.size(); ++i) {
      if (rules[i].id != found.rule_id || outcomes[i] == Outcome::kUnspecified) continue;
      if (outcomes[i] != Outcome::kRedact && outcomes[i] != Outcome::kDeny) return false;
      is_known = true;
    }
    return is_known;
  });
}

std::vector<std::string> pii_kinds(const std::vector<model::Detection>& detections, bool of_reply) {
  std::vector<std::string> kinds;
  for (const model::Detection& detection : detections) {
    const bool is_reply = detection.surface == detect::name_of(detect::Surface::kReply);
    if (!is_pii(detection.category) || is_reply != of_reply) continue;
    if (std::find(kinds.begin(), kinds.end(), detection.rule_id) == kinds.end())
      kinds.push_back(detection.rule_id);
  }
  return kinds;
}

}  // namespace aispm::gateway
