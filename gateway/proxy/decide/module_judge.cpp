// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/decide/module_judge.hpp"

#include <boost/json.hpp>

#include "gateway/proxy/decide/verdict_parts.hpp"
#include "sdk/core/common/crypto.hpp"
#include "sdk/core/common/utf8.hpp"
#include "sdk/core/policy/use_modules.hpp"

namespace aispm::gateway {

namespace json = boost::json;
using model::Outcome;

namespace {

// Begins a verdict about something that only one module is asked about; false: it is not in the
// bundle. Policies that are unusable as a whole are told by those who judge prompts and actions,
// and where there are none (judge_run_host) by whoever asks.
bool begin(const PolicyView& policy, std::string_view module, WallTime now,
           ActionVerdict& verdict) {
  if (!has_module(policy, module) || policy.is_expired(now)) return false;
  verdict.policy_id = policy.id;
  verdict.policy_version = policy.version();
  return true;
}

void take(ActionVerdict& verdict, const policy::RegoDecision& said) {
  strengthen(verdict, said.outcome, said.rule, said.reason, said.approver_role);
}

void deny_what_waits(ActionVerdict& verdict) {
  if (must_wait(verdict.outcome)) verdict.outcome = Outcome::kDeny;
}

}  // namespace

bool has_module(const PolicyView& policy, std::string_view module) {
  const policy::Rego* const rego = policy.bundle ? policy.bundle->rego() : nullptr;
  return rego != nullptr && rego->has_package("data.aispm." + std::string(module));
}

ActionVerdict judge_model(const PolicyView& policy, const ActionContext& context,
                          const ModelFacts& facts, WallTime now) {
  ActionVerdict verdict;
  if (!begin(policy, "model", now, verdict)) return verdict;
  json::object input = base_input(context);
  input["model"] = {{"name", to_utf8(facts.name)},
                    {"registered", !facts.status.empty()},
                    {"status", to_utf8(facts.status)},
                    {"provider", to_utf8(facts.provider)}};
  (void)ask_rego(policy, "model", input, verdict);
  if (verdict.outcome == Outcome::kRedact) verdict.outcome = Outcome::kDeny;  // there is nothing to
  verdict.digest =
      sha256_hex("aispm-model 1\n" + std::string(facts.provider) + "\n" + std::string(facts.name));
  add_input(verdict, "model", facts.name);
  add_input(verdict, "provider", facts.provider);
  add_input(verdict, "status", facts.status.empty() ? "unknown" : facts.status);
  return verdict;
}

ActionVerdict judge_budget(const PolicyView& policy, const ActionContext& context,
                           const BudgetFacts& facts, WallTime now) {
  ActionVerdict verdict;
  if (!begin(policy, "budget", now, verdict)) return verdict;
  json::object budget{{"wanted", facts.wanted}};
  if (facts.session_tokens) budget["session_tokens"] = *facts.session_tokens;
  if (facts.day_tokens) budget["day_tokens"] = *facts.day_tokens;
  json::object input = base_input(context);
  input["budget"] = std::move(budget);
  (void)ask_rego(policy, "budget", input, verdict);
  if (verdict.outcome == Outcome::kRedact) verdict.outcome = Outcome::kDeny;
  deny_what_waits(verdict);
  add_input(verdict, "wanted", std::to_string(facts.wanted));
  if (facts.session_tokens)
    add_input(verdict, "session_tokens", std::to_string(*facts.session_tokens));
  if (facts.day_tokens) add_input(verdict, "day_tokens", std::to_string(*facts.day_tokens));
  return verdict;
}

ActionVerdict judge_host(const PolicyView& policy, const ActionContext& context,
                         std::string_view host, WallTime now) {
  ActionVerdict verdict;
  if (!begin(policy, "egress", now, verdict)) return verdict;
  take(verdict, policy::ask_egress(*policy.bundle->rego(), json::serialize(base_input(context)),
                                   to_utf8(host)));
  add_input(verdict, "host", host);
  if (verdict.outcome == Outcome::kRedact) verdict.outcome = Outcome::kDeny;
  deny_what_waits(verdict);
  return verdict;
}

ActionVerdict judge_run_host(const PolicyView& policy, const policy::AgentRegistry& registry,
                             std::string_view agent_id, std::string_view host, WallTime now) {
  // Nobody judges a prompt or an action of such a connection.
  if (ActionVerdict verdict; is_unusable(policy, now, verdict)) return verdict;
  const policy::RegisteredAgent* const known = registry.find(agent_id);
  const AgentFacts facts = known != nullptr ? known->facts : AgentFacts();
  const ActionContext context{.agent_id = agent_id,
                              .facts = &facts,
                              .surface = "egress",
                              .is_registered = known != nullptr,
                              .max_delegation = registry.max_delegation()};
  return judge_host(policy, context, host, now);
}

ActionVerdict judge_documents(const PolicyView& policy, const ActionContext& context,
                              std::string_view place, std::uint64_t count, WallTime now) {
  ActionVerdict verdict;
  if (!begin(policy, "retrieval", now, verdict)) return verdict;
  take(verdict, policy::ask_retrieval(*policy.bundle->rego(), json::serialize(base_input(context)),
                                      to_utf8(place), count));
  add_input(verdict, "namespace", place);
  add_input(verdict, "chunks_wanted", std::to_string(count));
  if (verdict.outcome == Outcome::kRedact) verdict.outcome = Outcome::kDeny;
  deny_what_waits(verdict);
  return verdict;
}

ActionVerdict judge_pii(const PolicyView& policy, const ActionContext& context,
                        const std::vector<std::string>& kinds, std::string_view direction,
                        WallTime now) {
  ActionVerdict verdict;
  if (!begin(policy, "pii", now, verdict)) return verdict;
  json::object input = base_input(context);
  input["pii"] = list_of(kinds);
  input["direction"] = std::string(direction);
  (void)ask_rego(policy, "pii", input, verdict);
  deny_what_waits(verdict);
  for (const std::string& kind : kinds) add_input(verdict, "data", kind);
  return verdict;
}

void ask_about_use(const PolicyView& policy, const ActionContext& context, const ActionAsk& ask,
                   const policy::Arguments* arguments, ActionVerdict& verdict) {
  const policy::Rego* const rego = policy.bundle->rego();
  if (rego == nullptr || verdict.outcome == Outcome::kDeny || !policy::has_use_modules(*rego))
    return;
  const policy::ToolUse use = policy::read_tool_use(ask.tool, ask.destination, arguments);
  const std::string base = json::serialize(base_input(context));
  for (const policy::RegoDecision& said : policy::ask_use_modules(*rego, use, base))
    take(verdict, said);
  if (use.memory)
    add_input(verdict, "memory",
              std::string(use.memory->operation) + " " + std::string(use.memory->kind));
  if (use.retrieval) add_input(verdict, "namespace", use.retrieval->place);
  for (const std::string& host : use.hosts) add_input(verdict, "host", host);
  add_input(verdict, "use", use.writes ? "writes" : "reads");
}

}  // namespace aispm::gateway
