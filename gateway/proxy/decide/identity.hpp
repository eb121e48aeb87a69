// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "sdk/core/common/time.hpp"
#include "sdk/core/model/run_facts.hpp"
#include "sdk/core/policy/agent_registry.hpp"
#include "sdk/core/policy/freeze_book.hpp"

namespace aispm::gateway {

using policy::AgentFacts;

// Who acts, as the registry has it, and for whom. What the caller says of itself can only take
// rights away.
struct Identity {
  struct Objection {
    std::string rule_id;
    std::string reason;
  };
  AgentFacts facts;  // rights cut to what everybody who handed the task on has; trust as it counts
  bool is_registered = false;
  unsigned delegation_depth = 0;
  unsigned max_delegation = policy::kMaxDelegationDepth;
  std::string intent;                  // what the user asked for; "" = not known
  std::optional<Objection> objection;  // nothing of what it wants may go on
};

// What one request shows, and what is known of the caller's past.
struct IdentityAsk {
  std::string_view agent_id;
  std::span<const model::RunParent> parents = {};  // runs for whom it runs, the first of all first
  std::string_view delegation = {};                // x-aispm-delegation
  std::string_view intent = {};                    // x-aispm-intent
  const policy::FreezeBook* freezes = nullptr;     // null: nobody is stopped
  unsigned denials_in_row = 0;
  int hour = 12;  // 0..23, this host's
  WallTime now;
};

// Why a run of `agent_id` may not run for these: too many, or one of them is itself again. Pure.
std::optional<Identity::Objection> object_to_parents(const policy::AgentRegistry& registry,
                                                     std::string_view agent_id,
                                                     std::span<const model::RunParent> parents);

// Pure.
Identity identify(const policy::AgentRegistry& registry, const IdentityAsk& ask);

}  // namespace aispm::gateway
