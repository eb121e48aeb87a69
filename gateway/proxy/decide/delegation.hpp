// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sdk/core/common/time.hpp"
#include "sdk/core/policy/agent_registry.hpp"

namespace aispm::gateway {

// A task that agents handed on.
struct Handed {
  std::vector<std::string> chain;  // from who was asked first to who acts now; at least two
  std::string intent;              // what the first of them was asked for; "" = not said
};

// Reads `x-aispm-delegation`: a token for each step, from the first to the last, divided by commas.
// A token is a JWT, signed by the registered key of the agent that hands the task on: `iss` that
// agent, `sub` who may act for it, `aud` "aispm-delegation", `exp` at most a day from now, and
// `intent` where it knows what the user asked for. kDenied says what is wrong. Pure.
Result<Handed> read_delegation(const policy::AgentRegistry& registry, std::string_view header,
                               std::string_view agent_id, WallTime now);

// Who handed the task on by the words of the tokens alone, whoever signed them: first to last, at
// most policy::kMaxDelegationChain, without those that cannot be read. Pure.
std::vector<std::string> issuers_of(std::string_view header);

}  // namespace aispm::gateway
