// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "sdk/core/policy/action_json.hpp"
#include "sdk/core/policy/bundle.hpp"

namespace aispm::policy {

struct BundleDecision {
  model::Outcome outcome = model::Outcome::kDeny;
  std::string rule_id;
  std::string reason;
  std::string approver_role;
};

// What a bundle says of one action: the strictest of agents.yaml, tools.yaml, actions.yaml,
// commands.yaml (for shells) and the Rego modules `agent`, `tools` and those about what a call
// does; of equal ones the first named here. A bundle that says nothing of actions, and whatever
// cannot be evaluated, denies. Without agents.yaml the module `agent` is told that the agent is
// registered. With agents.yaml what `asked` claims of its agent does not count: as in the gateway,
// for an agent to whom nobody handed a task, by day. Counts nothing, so limits and sequences of
// tools.yaml have no say. Any thread.
BundleDecision judge_by_bundle(const Bundle& bundle, ActionJson asked, WallTime now);

}  // namespace aispm::policy
