// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sdk/core/common/time.hpp"
#include "sdk/core/common/yaml.hpp"
#include "sdk/core/policy/delegation.hpp"
#include "sdk/core/policy/glob.hpp"
#include "sdk/core/policy/trust.hpp"

// Who the agents are: agents.yaml of a bundle, or `agents:` of a gateway's own configuration.
namespace aispm::policy {

// What is on record of an agent. What an agent says of itself never gets in here.
struct AgentFacts {
  std::string type;  // "support", "coding"
  std::string environment;
  std::vector<std::string> roles;
  std::vector<std::string> scopes;  // "gmail:read"
  TrustLevel trust = TrustLevel::kUntrusted;
};

struct RegisteredAgent {
  Glob agent;
  AgentFacts facts;
  std::optional<WallTime> attested_until;  // nothing: nobody has vouched for how it is built
  std::string key;              // public key, PEM: signs what this agent hands on; "" = nothing
  bool only_delegated = false;  // acts only for somebody who handed it the task
  bool is_blocked = false;      // nothing of what it wants may go on
  std::string blocked_reason;
  std::optional<WallTime> expires;  // from when the entry grants nothing and the agent is refused
  // False only in the collector's registry: the entry blocks or lets expire, and the rights are
  // those that other files grant.
  bool has_rights = true;

  // Why nothing of what it wants may go on; empty: it may.
  std::string_view refused_by(WallTime now) const;  // "agent.blocked", "agent.expired"
};

// Why refused_by() names a rule, for people; `known` is refused.
std::string refusal_of(const RegisteredAgent& known, WallTime now);

// The first entry whose name fits counts. Immutable; any thread.
class AgentRegistry {
 public:
  static constexpr std::size_t kMaxEntries = 1000;
  static constexpr std::size_t kMaxBytes = 1U << 20;
  static constexpr std::size_t kMaxKeyBytes = 4096;

  // agents.yaml. Errors read `file:line: what is wrong`.
  static Result<AgentRegistry> parse(const std::string& content, const std::string& name);
  // Only the list, at `key`; errors go to the map.
  static AgentRegistry read(const YamlMap& root, const std::string& key);
  // Those of the collector's registry: names stand for themselves, and an entry without `trust`
  // grants nothing of its own. Errors go to the map.
  static std::vector<RegisteredAgent> read_registered(const YamlMap& root, const std::string& key);
  // The same with these before its own. One without rights has those of the first of its own that
  // fits.
  AgentRegistry with_registered(const std::vector<RegisteredAgent>& registered) const;

  // Null: nobody by that name is registered. Valid as long as the registry.
  const RegisteredAgent* find(std::string_view agent_id) const;
  std::size_t size() const { return entries_.size(); }
  // Trust is what evaluate_trust() makes of the registered level, else that level itself.
  bool scores_trust() const { return scores_trust_; }
  unsigned max_delegation() const { return max_delegation_; }

 private:
  std::vector<RegisteredAgent> entries_;
  bool scores_trust_ = false;
  unsigned max_delegation_ = kMaxDelegationDepth;
};

}  // namespace aispm::policy
