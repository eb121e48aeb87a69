// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/store/policy_stages.hpp"

#include <algorithm>

#include "sdk/core/policy/glob.hpp"

namespace aispm::collector::store {
namespace {

const char* name_of(pb::PolicyStage stage) {
  switch (stage) {
    case pb::POLICY_STAGE_DRAFT:
      return "draft";
    case pb::POLICY_STAGE_MONITOR:
      return "monitor";
    case pb::POLICY_STAGE_ENFORCED:
      return "enforced";
    case pb::POLICY_STAGE_DEPRECATED:
      return "deprecated";
    default:
      return "unknown";
  }
}

tl::unexpected<Error> refuse(const pb::Policy& policy, pb::PolicyStage to,
                             const std::string& instead) {
  return fail(Errc::kExists, std::string("from ") + name_of(policy.stage()) + " to " + name_of(to) +
                                 " there is no way; " + instead);
}

Result<StageMove> to_monitor(const pb::Policy& policy, std::uint64_t version) {
  if (policy.stage() != pb::POLICY_STAGE_ENFORCED) {
    const std::uint64_t wanted = version == 0 ? policy.newest_version() : version;
    if (policy.stage() == pb::POLICY_STAGE_MONITOR && wanted == policy.version())
      return fail(Errc::kExists, "version " + std::to_string(wanted) + " is monitored already");
    return StageMove{pb::POLICY_STAGE_MONITOR, wanted, 0, false};
  }
  // No version: what is enforced is enforced no longer. Another one: judged beside it.
  if (version == 0 || version == policy.version())
    return StageMove{pb::POLICY_STAGE_MONITOR, policy.version(), 0, false};
  if (version == policy.candidate_version())
    return fail(Errc::kExists, "version " + std::to_string(version) + " is monitored already");
  return StageMove{pb::POLICY_STAGE_ENFORCED, policy.version(), version, false};
}

Result<StageMove> to_enforced(const pb::Policy& policy, const pb::PromotePolicyRequest& request) {
  const bool is_enforced = policy.stage() == pb::POLICY_STAGE_ENFORCED;
  const std::uint64_t monitored = is_enforced ? policy.candidate_version() : policy.version();
  const std::uint64_t wanted = request.version() == 0 ? monitored : request.version();
  if (is_enforced && (wanted == 0 || wanted == policy.version()))
    return fail(Errc::kExists, "version " + std::to_string(policy.version()) +
                                   " is enforced already; monitor another one first");
  if (wanted != monitored && !request.force())
    return fail(Errc::kExists, "version " + std::to_string(wanted) +
                                   " is not the one that is monitored; monitor it first");
  return StageMove{pb::POLICY_STAGE_ENFORCED, wanted, 0, true};
}

}  // namespace

Result<StageMove> plan_move(const pb::Policy& policy, const pb::PromotePolicyRequest& request) {
  if (policy.newest_version() == 0) return fail(Errc::kExists, "the policy has no version yet");
  if (request.version() > policy.newest_version())
    return fail(Errc::kNotFound,
                "the newest version is " + std::to_string(policy.newest_version()));
  if (policy.stage() == pb::POLICY_STAGE_DEPRECATED)
    return fail(Errc::kExists, "the policy is deprecated, and that is for good");
  switch (request.stage()) {
    case pb::POLICY_STAGE_DRAFT:
      if (policy.stage() != pb::POLICY_STAGE_MONITOR)
        return refuse(policy, request.stage(), "only what is monitored becomes a draft again");
      return StageMove{pb::POLICY_STAGE_DRAFT, policy.newest_version(), 0, false};
    case pb::POLICY_STAGE_MONITOR:
      return to_monitor(policy, request.version());
    case pb::POLICY_STAGE_ENFORCED:
      if (policy.stage() == pb::POLICY_STAGE_DRAFT)
        return refuse(policy, request.stage(), "monitor it first");
      return to_enforced(policy, request);
    case pb::POLICY_STAGE_DEPRECATED:
      return StageMove{pb::POLICY_STAGE_DEPRECATED, policy.version(), 0, false};
    default:
      return fail(Errc::kInvalid, "stage: draft, monitor, enforced or deprecated is needed");
  }
}

std::string describe_stage(const pb::Policy& policy) {
  std::string text = std::string(name_of(policy.stage())) + "@" + std::to_string(policy.version());
  if (policy.candidate_version() != 0)
    text += "+monitor@" + std::to_string(policy.candidate_version());
  return text;
}

const char* action_name(pb::PolicyStage stage) {
  switch (stage) {
    case pb::POLICY_STAGE_DRAFT:
      return "policy.withdraw";
    case pb::POLICY_STAGE_MONITOR:
      return "policy.monitor";
    case pb::POLICY_STAGE_ENFORCED:
      return "policy.enforce";
    default:
      return "policy.deprecate";
  }
}

bool reaches(const pb::PolicyScope& scope, std::string_view agent) {
  return scope.agents().empty() ||
         std::any_of(scope.agents().begin(), scope.agents().end(),
                     [&](const std::string& glob) { return policy::glob_matches(glob, agent); });
}

}  // namespace aispm::collector::store
