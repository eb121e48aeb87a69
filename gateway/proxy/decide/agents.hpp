// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/yaml.hpp"
#include "sdk/core/policy/glob.hpp"
#include "sdk/core/policy/trust.hpp"

namespace aispm::gateway {

// What is on record of an agent. What an agent says of itself never gets in here.
struct AgentFacts {
  std::string type;  // "support", "coding"
  std::string environment;
  std::vector<std::string> roles;
  std::vector<std::string> scopes;  // "gmail:read"
  policy::TrustLevel trust = policy::TrustLevel::kUntrusted;
};

// The agents of this gateway (`agents:`): the first entry whose name fits counts. Who fits none has
// no roles and is not trusted. Immutable; any thread.
class AgentRegistry {
 public:
  static constexpr std::size_t kMaxEntries = 1000;

  // A list of {agent: glob, type, environment, roles, scopes, trust}; errors go to the map.
  static AgentRegistry read(const YamlMap& root, const std::string& key);

  const AgentFacts& find(std::string_view agent_id) const;
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    policy::Glob agent;
    AgentFacts facts;
  };
  std::vector<Entry> entries_;
};

}  // namespace aispm::gateway
