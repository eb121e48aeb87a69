// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "aispm/v1/policy.pb.h"
#include "sdk/core/common/result.hpp"

// The ways a policy may go. Pure.
namespace aispm::collector::store {

namespace pb = aispm::v1;

struct StageMove {
  pb::PolicyStage stage = pb::POLICY_STAGE_DRAFT;
  std::uint64_t version = 0;
  std::uint64_t candidate = 0;
  bool needs_followers = false;  // all that follow must have `version` first
};

// kExists (409): not from there. kNotFound: no such version.
Result<StageMove> plan_move(const pb::Policy& policy, const pb::PromotePolicyRequest& request);

// "enforced@3", "enforced@3+monitor@4"
std::string describe_stage(const pb::Policy& policy);
// "policy.enforce"
const char* action_name(pb::PolicyStage stage);
// Whether the scope names the agent (or everybody), whatever tenant and host it has.
bool reaches(const pb::PolicyScope& scope, std::string_view agent);

}  // namespace aispm::collector::store
