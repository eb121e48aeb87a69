// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/bundle_judge.hpp"

#include <optional>

#include "sdk/core/policy/rego_decision.hpp"
#include "sdk/core/policy/shell_tool.hpp"
#include "sdk/core/policy/strictness.hpp"
#include "sdk/core/policy/use_modules.hpp"

namespace aispm::policy {
namespace {

// What the registry has of an agent at that time; nobody registered has nothing.
AgentFacts facts_of(const AgentRegistry& registry, const RegisteredAgent* known, WallTime now) {
  if (known == nullptr) return {};
  AgentFacts facts = known->facts;
  if (!registry.scores_trust()) return facts;
  facts.trust =
      evaluate_trust(
          {.registered = facts.trust,
           .in_production = facts.environment == "prod" || facts.environment == "production",
           .is_attested = known->attested_until.has_value(),
           .is_attestation_expired = known->attested_until && *known->attested_until < now,
           .max_delegation_depth = registry.max_delegation()})
          .level;
  return facts;
}

// Where the bundle has no registry of its own, who is registered is up to a gateway, which asks
// again: here the module is asked about the rest.
AgentStanding standing_of(const Bundle& bundle, const Action& action) {
  const AgentRegistry* const agents = bundle.agents();
  const AgentRegistry none;
  return {.is_registered = !bundle.has_agents_file() ||
                           (agents != nullptr && agents->find(action.agent) != nullptr),
          .max_delegation = (agents != nullptr ? *agents : none).max_delegation()};
}

struct Strictest {
  std::optional<BundleDecision> said;

  void operator()(BundleDecision decision) {
    if (!said || strictness(decision.outcome) > strictness(said->outcome))
      said = std::move(decision);
  }
};

void ask_modules(const Bundle& bundle, const ActionJson& asked, Strictest& take) {
  const Rego& rego = *bundle.rego();
  const Action& action = asked.action();
  const std::string input = asked.rego_input(standing_of(bundle, action));
  const auto take_module = [&](RegoDecision said) {
    take({said.outcome, std::move(said.rule), std::move(said.reason),
          std::move(said.approver_role)});
  };
  for (const char* const module : {"agent", "tools"})
    if (rego.has_package(std::string("data.aispm.") + module))
      take_module(ask_module(rego, module, input));
  const bool goes_on = !take.said || take.said->outcome != model::Outcome::kDeny;
  if (!goes_on || !has_use_modules(rego)) return;
  const ToolUse use = read_tool_use(action.tool, action.destination, action.arguments);
  for (RegoDecision& said : ask_use_modules(rego, use, input)) take_module(std::move(said));
}

}  // namespace

BundleDecision judge_by_bundle(const Bundle& bundle, ActionJson asked, WallTime now) {
  Strictest take;
  if (const AgentRegistry* const agents = bundle.agents()) {
    const RegisteredAgent* const known = agents->find(asked.action().agent);
    asked.take_facts(facts_of(*agents, known, now));
    if (known != nullptr && known->only_delegated)
      take({model::Outcome::kDeny, "agent.delegation",
            "This agent acts only for somebody who handed it the task", ""});
    if (const std::string_view rule = known ? known->refused_by(now) : ""; !rule.empty())
      take({model::Outcome::kDeny, std::string(rule), refusal_of(*known, now), ""});
  }
  if (bundle.tools() != nullptr) {
    const ToolVerdict said = bundle.tools()->judge(asked.action(), asked.state());
    if (!said.rule_id.empty())
      take({said.outcome, std::string(said.rule_id), std::string(said.reason), ""});
  }
  if (bundle.actions() != nullptr) {
    const ActionDecision said = bundle.actions()->decide(asked.action(), now);
    take({said.outcome, std::string(said.rule_id), std::string(said.reason),
          std::string(said.approver_role)});
  }
  if (bundle.commands() != nullptr && is_shell_tool(asked.action().tool)) {
    const Arguments* const given = asked.action().arguments;
    CommandVerdict said = judge_shell_call(
        *bundle.commands(), given != nullptr ? given->leaves() : std::vector<Arguments::Leaf>());
    take({said.outcome, std::move(said.rule_id), std::move(said.reason), ""});
  }
  if (bundle.rego() != nullptr) ask_modules(bundle, asked, take);
  if (take.said) return *take.said;
  if (bundle.tools() != nullptr && bundle.tools()->has_file())
    return {model::Outcome::kAllow, "tools.allow", "", ""};
  return {model::Outcome::kDeny, "bundle.silent", "The bundle says nothing about actions", ""};
}

}  // namespace aispm::policy
