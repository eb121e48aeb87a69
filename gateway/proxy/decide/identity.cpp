// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/decide/identity.hpp"

#include "gateway/proxy/decide/delegation.hpp"

namespace aispm::gateway {
namespace {

bool is_production(const std::string& environment) {
  return environment == "prod" || environment == "production";
}

policy::AgentRights rights_of(const policy::AgentRegistry& registry, const std::string& agent) {
  policy::AgentRights rights;
  rights.agent = agent;
  if (const policy::RegisteredAgent* const known = registry.find(agent)) {
    rights.roles = known->facts.roles;
    rights.scopes = known->facts.scopes;
    rights.trust = known->facts.trust;
  }
  return rights;
}

// Whoever acts for an agent that an operator has stopped is stopped, too.
void object_to_frozen(const std::vector<std::string>& acts_for, const IdentityAsk& ask,
                      Identity& identity) {
  if (ask.freezes == nullptr) return;
  for (const std::string& agent : acts_for) {
    const policy::Freeze* const freeze =
        ask.freezes->find({.agent = agent, .user = policy::user_of_agent(agent)}, ask.now);
    if (freeze == nullptr) continue;
    identity.objection.emplace("agent.frozen", "An operator has stopped " + agent +
                                                   ", for whom this agent acts: " + freeze->reason);
    return;
  }
}

// Whoever acts for an agent that the registry refuses is refused, too.
void object_to_refused(const policy::AgentRegistry& registry,
                       const std::vector<std::string>& agents, WallTime now, Identity& identity) {
  for (const std::string& agent : agents) {
    const policy::RegisteredAgent* const known = registry.find(agent);
    const std::string_view rule = known == nullptr ? "" : known->refused_by(now);
    if (rule.empty()) continue;
    identity.objection.emplace(std::string(rule), agent + ": " + policy::refusal_of(*known, now));
    return;
  }
}

// Cuts the rights of who acts to what everybody in the chain has.
void take_chain(const policy::AgentRegistry& registry, Handed handed, const IdentityAsk& ask,
                Identity& identity) {
  std::vector<policy::AgentRights> chain;
  for (const std::string& agent : handed.chain) chain.push_back(rights_of(registry, agent));
  policy::Delegated delegated = policy::delegate_rights(chain, registry.max_delegation());
  identity.delegation_depth = delegated.depth;
  identity.facts.roles = std::move(delegated.rights.roles);
  identity.facts.scopes = std::move(delegated.rights.scopes);
  identity.facts.trust = delegated.rights.trust;
  if (delegated.is_too_deep)
    identity.objection.emplace(
        "agent.delegation",
        "The task was handed on more than " + std::to_string(registry.max_delegation()) + " times");
  else if (delegated.is_circle)
    identity.objection.emplace("agent.delegation", "The task came back to who handed it on");
  if (!identity.intent.empty() && !handed.intent.empty() && identity.intent != handed.intent)
    identity.objection.emplace("agent.intent", "The task was handed on for something else");
  if (!handed.intent.empty()) identity.intent = std::move(handed.intent);
  handed.chain.pop_back();  // who acts now
  object_to_refused(registry, handed.chain, ask.now, identity);
  object_to_frozen(handed.chain, ask, identity);
}

policy::TrustLevel trust_now(const policy::AgentRegistry& registry, const Identity& identity,
                             const policy::RegisteredAgent* known, const IdentityAsk& ask) {
  if (!registry.scores_trust()) return identity.facts.trust;
  const auto until = known ? known->attested_until : std::nullopt;
  return policy::evaluate_trust({.registered = identity.facts.trust,
                                 .in_production = is_production(identity.facts.environment),
                                 .is_attested = until.has_value(),
                                 .is_attestation_expired = until && *until < ask.now,
                                 .delegation_depth = identity.delegation_depth,
                                 .max_delegation_depth = registry.max_delegation(),
                                 .hour = ask.hour,
                                 .denials_in_row = ask.denials_in_row})
      .level;
}

}  // namespace

Identity identify(const policy::AgentRegistry& registry, const IdentityAsk& ask) {
  Identity identity;
  const policy::RegisteredAgent* const known = registry.find(ask.agent_id);
  identity.is_registered = known != nullptr;
  if (known != nullptr) identity.facts = known->facts;
  identity.max_delegation = registry.max_delegation();
  identity.intent = ask.intent;
  if (!ask.delegation.empty()) {
    auto handed = read_delegation(registry, ask.delegation, ask.agent_id, ask.now);
    if (handed)
      take_chain(registry, std::move(*handed), ask, identity);
    else
      identity.objection.emplace("agent.delegation", handed.error().message);
  } else if (known != nullptr && known->only_delegated) {
    identity.objection.emplace("agent.delegation",
                               "This agent acts only for somebody who handed it the task "
                               "(x-aispm-delegation)");
  }
  object_to_refused(registry, {std::string(ask.agent_id)}, ask.now, identity);
  identity.facts.trust = trust_now(registry, identity, known, ask);
  return identity;
}

}  // namespace aispm::gateway
