// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/delegation.hpp"

#include <algorithm>
#include <set>

namespace aispm::policy {
namespace {

void keep_shared(std::vector<std::string>& have, const std::vector<std::string>& parent) {
  std::erase_if(have, [&](const std::string& one) {
    return std::find(parent.begin(), parent.end(), one) == parent.end();
  });
}

}  // namespace

Delegated delegate_rights(std::span<const AgentRights> chain, unsigned max_depth) {
  Delegated result;
  if (chain.empty()) return result;
  result.depth = static_cast<unsigned>(chain.size() - 1);
  result.is_too_deep = result.depth > max_depth || chain.size() > kMaxDelegationChain;
  result.rights.agent = chain.back().agent;
  if (chain.size() <= kMaxDelegationChain) {
    std::set<std::string_view> seen;
    for (const AgentRights& one : chain)
      result.is_circle = !seen.insert(one.agent).second || result.is_circle;
  }
  if (result.is_denied()) return result;
  result.rights = chain.back();
  for (const AgentRights& parent : chain.first(chain.size() - 1)) {
    keep_shared(result.rights.roles, parent.roles);
    keep_shared(result.rights.scopes, parent.scopes);
    result.rights.trust = std::min(result.rights.trust, parent.trust);
  }
  return result;
}

}  // namespace aispm::policy
