// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/agent_registry.hpp"

#include <algorithm>

#include "sdk/core/policy/policy_text.hpp"

namespace aispm::policy {

AgentRegistry AgentRegistry::read(const YamlMap& root, const std::string& key) {
  AgentRegistry registry;
  for (const YamlMap& map : root.maps(key)) {
    if (registry.entries_.size() >= kMaxEntries) {
      map.reject("", "more than " + std::to_string(kMaxEntries) + " agents");
      break;
    }
    RegisteredAgent& entry = registry.entries_.emplace_back();
    entry.agent = Glob(read_name(map, "agent"));
    entry.facts.type = read_text(map, "type");
    entry.facts.environment = read_text(map, "environment");
    entry.facts.roles = map.texts("roles");
    entry.facts.scopes = map.texts("scopes");
    const std::string trust = map.choice(
        "trust", "untrusted", {"untrusted", "basic", "verified", "privileged", "system"});
    entry.facts.trust = parse_trust_level(trust).value_or(TrustLevel::kUntrusted);
    entry.attested_until = read_time(map, "attested_until");
    entry.key = map.text("key", "");
    if (entry.key.size() > kMaxKeyBytes)
      map.reject("key", "longer than " + std::to_string(kMaxKeyBytes) + " bytes");
    entry.only_delegated = map.flag("only_delegated", false);
  }
  return registry;
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
