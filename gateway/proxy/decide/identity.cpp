// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/decide/identity.hpp"

#include <algorithm>

#include "gateway/proxy/decide/agent_refusal.hpp"
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

// `chain` behind the agents of the runs that it runs for. An agent that runs for a run of its own
// is named once: nobody gets other rights by that.
std::vector<std::string> behind_parents(std::span<const model::RunParent> parents,
                                        const std::vector<std::string>& chain) {
  std::vector<std::string> all;
  for (const model::RunParent& parent : parents)
    if (all.empty() || all.back() != parent.agent_id) all.push_back(parent.agent_id);
  if (!all.empty() && all.back() == chain.front()) all.pop_back();
  all.insert(all.end(), chain.begin(), chain.end());
  return all;
}

policy::Delegated delegate(const policy::AgentRegistry& registry,
                           const std::vector<std::string>& chain, std::size_t runs) {
  std::vector<policy::AgentRights> rights;
  for (const std::string& agent : chain) rights.push_back(rights_of(registry, agent));
  policy::Delegated delegated = policy::delegate_rights(rights, registry.max_delegation());
  delegated.depth = std::max(delegated.depth, static_cast<unsigned>(runs));
  delegated.is_too_deep = delegated.is_too_deep || delegated.depth > registry.max_delegation();
  return delegated;
}

std::optional<Identity::Objection> object_to(const policy::AgentRegistry& registry,
                                             const policy::Delegated& delegated) {
  if (delegated.is_too_deep)
    return Identity::Objection{
        "agent.delegation",
        "The task was handed on more than " + std::to_string(registry.max_delegation()) + " times"};
  if (delegated.is_circle)
    return Identity::Objection{"agent.delegation", "The task came back to who handed it on"};
  return {};
}

// Whoever acts for an agent that the registry refuses is refused, too.
void object_to_refused(const policy::AgentRegistry& registry,
                       const std::vector<std::string>& agents, WallTime now, Identity& identity) {
  for (const std::string& agent : agents) {
    auto objection = object_to_agent(registry, agent, now);
    if (!objection) continue;
    identity.objection = std::move(objection);
    return;
  }
}

// Cuts the rights of who acts to what everybody in the chain has.
void take_chain(const policy::AgentRegistry& registry, std::vector<std::string> chain,
                const IdentityAsk& ask, Identity& identity) {
  policy::Delegated delegated = delegate(registry, chain, ask.parents.size());
  identity.delegation_depth = delegated.depth;
  if (delegated.is_denied()) delegated.rights = {};
  identity.facts.roles = std::move(delegated.rights.roles);
  identity.facts.scopes = std::move(delegated.rights.scopes);
  identity.facts.trust = delegated.rights.trust;
  identity.objection = object_to(registry, delegated);
  chain.pop_back();  // who acts now
  object_to_refused(registry, chain, ask.now, identity);
  object_to_frozen(chain, ask, identity);
}

// What the task is for, as its tokens say.
void take_intent(std::string intent, Identity& identity) {
  if (intent.empty()) return;
  if (!identity.intent.empty() && identity.intent != intent && !identity.objection)
    identity.objection.emplace("agent.intent", "The task was handed on for something else");
  identity.intent = std::move(intent);
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

std::optional<Identity::Objection> object_to_agent(const policy::AgentRegistry& registry,
                                                   const std::string& agent, WallTime now) {
  const policy::RegisteredAgent* const known = registry.find(agent);
  const std::string_view rule = known == nullptr ? std::string_view() : known->refused_by(now);
  if (rule.empty()) return {};
  return Identity::Objection{std::string(rule), agent + ": " + policy::refusal_of(*known, now)};
}

std::optional<Identity::Objection> object_to_parents(const policy::AgentRegistry& registry,
                                                     std::string_view agent_id,
                                                     std::span<const model::RunParent> parents) {
  const std::vector<std::string> chain = behind_parents(parents, {std::string(agent_id)});
  return object_to(registry, delegate(registry, chain, parents.size()));
}

Identity identify(const policy::AgentRegistry& registry, const IdentityAsk& ask) {
  Identity identity;
  const policy::RegisteredAgent* const known = registry.find(ask.agent_id);
  identity.is_registered = known != nullptr;
  if (known != nullptr) identity.facts = known->facts;
  identity.max_delegation = registry.max_delegation();
  identity.intent = ask.intent;
  std::vector<std::string> chain{std::string(ask.agent_id)};
  std::string intent;
  std::optional<Identity::Objection> no_token;
  if (!ask.delegation.empty()) {
    if (auto handed = read_delegation(registry, ask.delegation, ask.agent_id, ask.now)) {
      chain = std::move(handed->chain);
      intent = std::move(handed->intent);
    } else {
      no_token.emplace("agent.delegation", handed.error().message);
    }
  } else if (known != nullptr && known->only_delegated) {
    no_token.emplace("agent.delegation",
                     "This agent acts only for somebody who handed it the task "
                     "(x-aispm-delegation)");
  }
  if (chain.size() > 1 || !ask.parents.empty())
    take_chain(registry, behind_parents(ask.parents, chain), ask, identity);
  take_intent(std::move(intent), identity);
  if (no_token && !identity.objection) identity.objection = std::move(no_token);
  object_to_refused(registry, {std::string(ask.agent_id)}, ask.now, identity);
  identity.facts.trust = trust_now(registry, identity, known, ask);
  return identity;
}

}  // namespace aispm::gateway
