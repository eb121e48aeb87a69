// SPDX-License-Identifier: Apache-2.0
// The policy by which gateways get the registry of agents and tools.
#include "gateway/collector/store/policy_shelf.hpp"
#include "sdk/core/policy/registry_part.hpp"

namespace aispm::collector::store {

Result<std::uint64_t> PolicyShelf::set_registry(std::vector<pb::PolicyFile> files,
                                                const Checked& checked, const std::string& comment,
                                                const std::string& who, WallTime now) {
  const std::string id = policy::kRegistryPolicy;
  auto known = find(id);
  if (!known && known.error().code != Errc::kNotFound) return fail(known.error());
  if (!known) {
    pb::PushPolicyRequest request;
    request.set_policy_id(id);
    request.set_description("Agents and tools, as decided in the collector");
    // A gateway that is older than the registry takes it for a policy that it cannot use: then it
    // denies those for whom there is no other, and not everybody.
    request.mutable_scope()->set_priority(kMaxPriority);
    AISPM_CHECK(make(request, who, now));
  }
  AISPM_TRY(pb::Policy policy, find(id));
  if (policy.newest_version() > 0 && policy.digest() == checked.digest &&
      policy.signed_by() == checked.signed_by)
    return policy.version();
  const std::uint64_t number = policy.newest_version() + 1;
  pb::PolicyVersion added;
  added.set_comment(comment);
  added.mutable_created()->set_seconds(now.nanoseconds / 1'000'000'000);
  added.mutable_created()->set_nanos(static_cast<std::int32_t>(now.nanoseconds % 1'000'000'000));
  added.set_created_by(who);
  for (pb::PolicyFile& file : files) *added.add_files() = std::move(file);
  AISPM_CHECK(add_version(id, number, std::move(added), checked));
  policy.set_stage(pb::POLICY_STAGE_ENFORCED);
  policy.set_newest_version(number);
  policy.set_version(number);
  AISPM_CHECK(save(policy, who, now));
  // Each holds all of the registry; what was decided when is kept with the decisions.
  for (const std::string_view sql :
       {"DELETE FROM policy_versions WHERE policy_id=? AND version+?<=?",
        "DELETE FROM policy_states WHERE policy_id=? AND version+?<=?"})
    AISPM_CHECK(run_sql(database_, sql, id, kRegistryVersions, number));
  AISPM_CHECK(check_room());
  AISPM_CHECK(raise_version());
  return number;
}

Result<> refuse_registry(const std::string& policy_id) {
  if (policy_id != policy::kRegistryPolicy) return {};
  return fail(Errc::kExists, policy_id +
                                 ": is made by decisions about agents and tools (`aispm agent`, "
                                 "`aispm tool`), not by hand");
}

}  // namespace aispm::collector::store
