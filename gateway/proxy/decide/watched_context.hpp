// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>

#include "gateway/proxy/decide/action_judge.hpp"

namespace aispm::gateway {

// Who acts by the registry of a policy that is only watched, where it has one of its own: what it
// will say once it is enforced. Of a task that was handed on the chain is known only as the
// enforced registry cut its rights: then it is what both grant.
class WatchedContext {
 public:
  // What `usual` views, and `policy`, must outlive this.
  WatchedContext(const PolicyView& policy, const ActionContext& usual, WallTime now);
  WatchedContext(const WatchedContext&) = delete;
  WatchedContext& operator=(const WatchedContext&) = delete;

  // What `judge` says in that context, unless the registry lets the agent do nothing at all.
  ActionVerdict ask(const std::function<ActionVerdict(const ActionContext&)>& judge) const;

 private:
  const PolicyView& policy_;
  AgentFacts facts_;
  ActionContext context_;
  std::optional<Identity::Objection> objection_;
};

}  // namespace aispm::gateway
