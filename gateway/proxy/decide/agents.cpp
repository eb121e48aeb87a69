// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/decide/agents.hpp"

namespace aispm::gateway {

AgentRegistry AgentRegistry::read(const YamlMap& root, const std::string& key) {
  AgentRegistry registry;
  for (const YamlMap& map : root.maps(key)) {
    if (registry.entries_.size() >= kMaxEntries) {
      map.reject("", "more than " + std::to_string(kMaxEntries) + " agents");
      break;
    }
    Entry& entry = registry.entries_.emplace_back();
    entry.agent = policy::Glob(map.required_text("agent"));
    entry.facts.type = map.text("type", "");
    entry.facts.environment = map.text("environment", "");
    entry.facts.roles = map.texts("roles");
    entry.facts.scopes = map.texts("scopes");
    const std::string trust = map.choice(
        "trust", "untrusted", {"untrusted", "basic", "verified", "privileged", "system"});
    entry.facts.trust = policy::parse_trust_level(trust).value_or(policy::TrustLevel::kUntrusted);
  }
  return registry;
}

const AgentFacts& AgentRegistry::find(std::string_view agent_id) const {
  static const AgentFacts kUnknown;
  for (const Entry& entry : entries_)
    if (entry.agent.matches(agent_id)) return entry.facts;
  return kUnknown;
}

}  // namespace aispm::gateway
