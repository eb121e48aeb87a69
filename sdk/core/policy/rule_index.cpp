// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/rule_index.hpp"

namespace aispm::policy {

RuleIndex::RuleIndex(const std::vector<PolicyRule>& rules, Direction direction) {
  for (std::uint32_t number = 0; number < rules.size(); ++number) {
    const PolicyRule& rule = rules[number];
    if (rule.direction && *rule.direction != direction) continue;
    depends_on_context_ = depends_on_context_ || !rule.agent.matches_all() ||
                          !rule.provider.matches_all() || !rule.model.matches_all();
    if (rule.rule_id.is_name())
      by_rule_id_[rule.rule_id.text()].push_back(number);
    else if (rule.agent.is_name())
      by_agent_[rule.agent.text()].push_back(number);
    else if (rule.model.is_name())
      by_model_[rule.model.text()].push_back(number);
    else if (rule.provider.is_name())
      by_provider_[rule.provider.text()].push_back(number);
    else
      always_.push_back(number);
  }
}

const PolicyRule* RuleIndex::find(const std::vector<PolicyRule>& rules, const Context& context,
                                  const Fact& fact) const {
  const PolicyRule* first = nullptr;
  const auto search = [&](const List& list) {
    for (const std::uint32_t number : list) {
      const PolicyRule* const rule = &rules[number];
      if (first != nullptr && rule >= first) return;
      if (!rule->matches(context, fact)) continue;
      first = rule;
      return;
    }
  };
  const auto search_name = [&](const Names& names, std::string_view name) {
    if (names.empty()) return;
    if (const auto entry = names.find(name); entry != names.end()) search(entry->second);
  };
  search_name(by_rule_id_, fact.rule_id);
  search_name(by_agent_, context.agent);
  search_name(by_model_, context.model);
  search_name(by_provider_, context.provider);
  search(always_);
  return first;
}

}  // namespace aispm::policy
