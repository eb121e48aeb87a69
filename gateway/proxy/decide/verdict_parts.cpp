// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/decide/verdict_parts.hpp"

#include <boost/json.hpp>
#include <cstdio>

#include "sdk/core/common/utf8.hpp"
#include "sdk/core/policy/risk_sequences.hpp"
#include "sdk/core/policy/strictness.hpp"

namespace aispm::gateway {

namespace json = boost::json;
using model::Outcome;

namespace {

constexpr std::size_t kMaxInputs = 32;
constexpr std::size_t kMaxReasonBytes = 512;

ActionVerdict denied(const PolicyView& policy, std::string rule, std::string reason) {
  ActionVerdict verdict;
  verdict.outcome = Outcome::kDeny;
  verdict.rule_id = std::move(rule);
  verdict.reason = std::move(reason);
  verdict.policy_id = policy.id;
  verdict.policy_version = policy.version();
  return verdict;
}

}  // namespace

bool is_unusable(const PolicyView& policy, WallTime now, ActionVerdict& verdict) {
  if (!policy.bundle)
    verdict = denied(policy, policy.problem_rule, policy.problem);
  else if (policy.is_expired(now))
    verdict = denied(policy, "policy.expired", "The policy has expired; load a newer one");
  else
    return false;
  verdict.is_alert = true;
  return true;
}

void strengthen(ActionVerdict& verdict, Outcome outcome, std::string_view rule,
                std::string_view reason, std::string_view approver_role) {
  if (!verdict.rule_id.empty() &&
      policy::strictness(outcome) <= policy::strictness(verdict.outcome))
    return;
  verdict.outcome = outcome;
  verdict.rule_id = rule;
  verdict.reason = reason;
  cut_utf8(verdict.reason, kMaxReasonBytes);
  verdict.approver_role = approver_role;
}

void add_input(ActionVerdict& verdict, std::string_view name, std::string_view value) {
  if (value.empty() || verdict.inputs.size() >= kMaxInputs) return;
  std::string text(value);
  if (cut_utf8(text, kMaxInputBytes)) text += "...";
  verdict.inputs.push_back(std::string(name) + "=" + text);
}

void add_inputs(const ActionContext& context, const ActionAsk& ask, ActionVerdict& verdict) {
  add_input(verdict, "tool", ask.tool);
  add_input(verdict, "destination", ask.destination);
  add_input(verdict, "environment", context.facts->environment);
  add_input(verdict, "trust", policy::name_of(context.facts->trust));
  add_input(verdict, "intent", context.intent);
  add_input(verdict, "asked_by_model", ask.asked_by_model);
  if (context.delegation_depth > 0)
    add_input(verdict, "delegation", std::to_string(context.delegation_depth));
  for (const std::string& role : context.facts->roles) add_input(verdict, "role", role);
  for (const std::string& scope : context.facts->scopes) add_input(verdict, "scope", scope);
  for (const std::string& label : ask.labels) add_input(verdict, "data", label);
  if (context.risk == nullptr) return;
  char risk[16];
  std::snprintf(risk, sizeof risk, "%.2f", context.risk->risk);
  add_input(verdict, "risk", risk);
  for (const std::string& name : context.risk->names) add_input(verdict, "signal", name);
}

json::array list_of(const std::vector<std::string>& texts) {
  json::array list;
  for (const std::string& text : texts) list.emplace_back(to_utf8(text));
  return list;
}

const char* word_of(policy::GuardVerdict guard) {
  if (guard == policy::GuardVerdict::kBlock) return "block";
  return guard == policy::GuardVerdict::kFlag ? "flag" : "allow";
}

json::object base_input(const ActionContext& context) {
  const AgentFacts& facts = *context.facts;
  json::object input;
  input["agent"] = {{"id", to_utf8(context.agent_id)},
                    {"type", facts.type},
                    {"registered", context.is_registered},
                    {"trust", std::string(policy::name_of(facts.trust))},
                    {"environment", facts.environment},
                    {"delegation_depth", context.delegation_depth},
                    {"max_delegation_depth", context.max_delegation}};
  input["frozen"] = json::array();  // whoever is frozen is refused before anybody is asked
  if (!context.intent.empty()) input["intent"] = to_utf8(context.intent);
  input["roles"] = list_of(facts.roles);
  input["scopes"] = list_of(facts.scopes);
  input["trust"] = std::string(policy::name_of(facts.trust));
  input["environment"] = facts.environment;
  input["provider"] = to_utf8(context.provider);
  input["model"] = to_utf8(context.model);
  input["surface"] = std::string(context.surface);
  if (context.risk == nullptr) return input;
  const RiskFacts& risk = *context.risk;
  input["posture"] = risk.risk;
  input["signals"] = list_of(risk.names);
  input["guard"] = {{"verdict", word_of(risk.guard)}, {"score", risk.guard_score}};
  input["drift"] = risk.parts.drift;
  input["behaviour"] = {{"burst", risk.burst}, {"sustained", risk.sustained}};
  input["retrieval"] = {{"trust", risk.parts.retrieval_trust}};
  json::array& ttps = input["ttps"].emplace_array();
  for (const std::string_view technique : policy::sequences_of(risk.signals))
    ttps.emplace_back(std::string(technique));
  return input;
}

policy::RegoDecision ask_rego(const PolicyView& policy, std::string_view module,
                              const json::object& input, ActionVerdict& verdict) {
  policy::RegoDecision said =
      policy::ask_module(*policy.bundle->rego(), module, json::serialize(input));
  strengthen(verdict, said.outcome, said.rule, said.reason, said.approver_role);
  return said;
}

}  // namespace aispm::gateway
