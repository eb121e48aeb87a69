// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/bundle_judge.hpp"

#include <optional>

#include "sdk/core/policy/rego_decision.hpp"
#include "sdk/core/policy/strictness.hpp"
#include "sdk/core/policy/use_modules.hpp"

namespace aispm::policy {
namespace {

constexpr const char* kModule = "tools";
constexpr const char* kPackage = "data.aispm.tools";

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

}  // namespace

BundleDecision judge_by_bundle(const Bundle& bundle, ActionJson asked, WallTime now) {
  std::optional<BundleDecision> strictest;
  const auto take = [&](BundleDecision decision) {
    if (!strictest || strictness(decision.outcome) > strictness(strictest->outcome))
      strictest = std::move(decision);
  };
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
  if (bundle.rego() != nullptr && bundle.rego()->has_package(kPackage)) {
    RegoDecision said = ask_module(*bundle.rego(), kModule, asked.rego_input());
    take({said.outcome, std::move(said.rule), std::move(said.reason),
          std::move(said.approver_role)});
  }
  const bool goes_on = !strictest || strictest->outcome != model::Outcome::kDeny;
  if (bundle.rego() != nullptr && goes_on && has_use_modules(*bundle.rego())) {
    const Action& action = asked.action();
    const ToolUse use = read_tool_use(action.tool, action.destination, action.arguments);
    for (RegoDecision& said : ask_use_modules(*bundle.rego(), use, asked.rego_input()))
      take({said.outcome, std::move(said.rule), std::move(said.reason),
            std::move(said.approver_role)});
  }
  if (strictest) return *strictest;
  if (bundle.tools() != nullptr && bundle.tools()->has_file())
    return {model::Outcome::kAllow, "tools.allow", "", ""};
  return {model::Outcome::kDeny, "bundle.silent", "The bundle says nothing about actions", ""};
}

}  // namespace aispm::policy
