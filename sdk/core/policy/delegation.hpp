// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

#include "sdk/core/policy/trust.hpp"

// Agents that act for agents: nobody gets more rights by being asked through another.
namespace aispm::policy {

// What the registry grants one agent.
struct AgentRights {
  std::string agent;
  std::vector<std::string> roles;
  std::vector<std::string> scopes;
  TrustLevel trust = TrustLevel::kUntrusted;
};

inline constexpr unsigned kMaxDelegationDepth = 3;      // when not configured
inline constexpr std::size_t kMaxDelegationChain = 64;  // that is looked at

struct Delegated {
  AgentRights rights;  // of the last agent of the chain, cut to what everybody before it has
  unsigned depth = 0;  // 0: nobody acts for anybody
  bool is_too_deep = false;
  bool is_circle = false;  // an agent acts for itself by way of others
  bool is_denied() const { return is_too_deep || is_circle; }
};

// `chain`: from the agent that was asked first to the one that acts now; not empty. Whose chain is
// denied has no rights.
Delegated delegate_rights(std::span<const AgentRights> chain,
                          unsigned max_depth = kMaxDelegationDepth);

}  // namespace aispm::policy
