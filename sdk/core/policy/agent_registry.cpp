// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/agent_registry.hpp"

#include <algorithm>

#include "sdk/core/policy/policy_text.hpp"

namespace aispm::policy {
namespace {

RegisteredAgent read_agent(const YamlMap& map) {
  RegisteredAgent entry;
  entry.agent = Glob(read_name(map, "agent"));
  entry.facts.type = read_text(map, "type");
  entry.facts.environment = read_text(map, "environment");
  entry.facts.roles = map.texts("roles");
  entry.facts.scopes = map.texts("scopes");
  const std::string trust =
      map.choice("trust", "untrusted", {"untrusted", "basic", "verified", "privileged", "system"});
  entry.facts.trust = parse_trust_level(trust).value_or(TrustLevel::kUntrusted);
  entry.attested_until = read_time(map, "attested_until");
  entry.key = map.text("key", "");
  if (entry.key.size() > AgentRegistry::kMaxKeyBytes)
    map.reject("key", "longer than " + std::to_string(AgentRegistry::kMaxKeyBytes) + " bytes");
  entry.only_delegated = map.flag("only_delegated", false);
  entry.is_blocked = map.flag("blocked", false);
  entry.blocked_reason = read_text(map, "reason");
  entry.expires = read_time(map, "expires_at");
  return entry;
}

std::vector<RegisteredAgent> read_agents(const YamlMap& root, const std::string& key) {
  std::vector<RegisteredAgent> entries;
  for (const YamlMap& map : root.maps(key)) {
    if (entries.size() >= AgentRegistry::kMaxEntries) {
      map.reject("", "more than " + std::to_string(AgentRegistry::kMaxEntries) + " agents");
      break;
    }
    entries.push_back(read_agent(map));
    entries.back().has_rights = map.has("trust");
  }
  return entries;
}

}  // namespace

std::string_view RegisteredAgent::refused_by(WallTime now) const {
  if (is_blocked) return "agent.blocked";
  return expires && *expires <= now ? "agent.expired" : "";
}

std::string refusal_of(const RegisteredAgent& known, WallTime now) {
  if (known.refused_by(now) == "agent.expired") return "The agent's registration has expired";
  return known.blocked_reason.empty() ? "This agent is blocked" : known.blocked_reason;
}

AgentRegistry AgentRegistry::read(const YamlMap& root, const std::string& key) {
  AgentRegistry registry;
  registry.entries_ = read_agents(root, key);
  for (RegisteredAgent& entry : registry.entries_) entry.has_rights = true;
  return registry;
}

std::vector<RegisteredAgent> AgentRegistry::read_registered(const YamlMap& root,
                                                            const std::string& key) {
  std::vector<RegisteredAgent> entries = read_agents(root, key);
  for (RegisteredAgent& entry : entries) entry.agent = Glob::literal(entry.agent.text());
  return entries;
}

AgentRegistry AgentRegistry::with_registered(const std::vector<RegisteredAgent>& registered) const {
  AgentRegistry whole = *this;
  whole.entries_.clear();
  for (RegisteredAgent entry : registered) {
    const RegisteredAgent* const own = entry.has_rights ? nullptr : find(entry.agent.text());
    if (own != nullptr) {
      RegisteredAgent known = *own;
      known.agent = entry.agent;
      // Whoever refuses it is obeyed; the earlier end counts.
      if (entry.is_blocked) {
        known.is_blocked = true;
        known.blocked_reason = entry.blocked_reason;
      }
      if (entry.expires && (!known.expires || *entry.expires < *known.expires))
        known.expires = entry.expires;
      entry = std::move(known);
    }
    whole.entries_.push_back(std::move(entry));
  }
  whole.entries_.insert(whole.entries_.end(), entries_.begin(), entries_.end());
  return whole;
}

Result<AgentRegistry> AgentRegistry::parse(const std::string& content, const std::string& name) {
  if (content.size() > kMaxBytes)
    return fail(Errc::kTooLarge, name + ": longer than " + std::to_string(kMaxBytes) + " bytes");
  AISPM_TRY(const YamlMap root, YamlMap::parse(content, name));
  AgentRegistry registry = read(root, "agents");
  registry.scores_trust_ = root.choice("trust", "registered", {"registered", "scored"}) == "scored";
  registry.max_delegation_ = static_cast<unsigned>(
      root.integer("max_delegation", kMaxDelegationDepth, {0, kMaxDelegationChain - 1}));
  AISPM_CHECK(root.finish());
  return registry;
}

const RegisteredAgent* AgentRegistry::find(std::string_view agent_id) const {
  const auto found =
      std::find_if(entries_.begin(), entries_.end(),
                   [&](const RegisteredAgent& one) { return one.agent.matches(agent_id); });
  return found == entries_.end() ? nullptr : &*found;
}

}  // namespace aispm::policy
