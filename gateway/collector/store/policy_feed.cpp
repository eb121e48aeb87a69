// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "gateway/collector/limits.hpp"
#include "gateway/collector/store/daemons.hpp"
#include "gateway/collector/store/policy_shelf.hpp"
#include "sdk/core/common/utf8.hpp"

// What hosts are told about policies, and what they answer.
namespace aispm::collector::store {

Result<pb::PolicySnapshot> PolicyShelf::snapshot_for(const std::string& host_id) {
  pb::PolicySnapshot snapshot;
  AISPM_TRY(const std::uint64_t version, read_counter(database_, "policy_version"));
  snapshot.set_version(version);
  AISPM_TRY(Statement* const find,
            database_.cached(
                "SELECT p.policy_id, p.stage, p.scope, p.version=v.version, v.body FROM policies p "
                "JOIN policy_versions v ON v.policy_id=p.policy_id AND v.version IN (p.version, "
                "p.candidate) WHERE p.stage IN (?,?) ORDER BY p.policy_id, v.version"));
  find->bind(static_cast<int>(pb::POLICY_STAGE_MONITOR),
             static_cast<int>(pb::POLICY_STAGE_ENFORCED));
  for (;;) {
    AISPM_TRY(const bool is_row, find->step());
    if (!is_row) return snapshot;
    pb::PolicySnapshot::Assigned one;
    pb::PolicyVersion content;
    const std::string_view scope = find->blob(2);
    if (!one.mutable_scope()->ParseFromArray(scope.data(), static_cast<int>(scope.size())))
      return fail(Errc::kInternal, "store: a policy's scope cannot be read");
    const auto& hosts = one.scope().hosts();
    if (!hosts.empty() && std::find(hosts.begin(), hosts.end(), host_id) == hosts.end()) continue;
    const std::string_view body = find->blob(4);
    if (!content.ParseFromArray(body.data(), static_cast<int>(body.size())))
      return fail(Errc::kInternal, "store: a version cannot be read");
    one.set_policy_id(find->text(0));
    one.set_version(content.version());
    // Beside the version that is enforced, the other one is monitored.
    one.set_stage(find->integer(3) != 0 ? static_cast<pb::PolicyStage>(find->integer(1))
                                        : pb::POLICY_STAGE_MONITOR);
    one.mutable_files()->Swap(content.mutable_files());
    one.set_digest(content.digest());
    *snapshot.add_policies() = std::move(one);
  }
}

Result<> PolicyShelf::acknowledge(const std::string& host_id, const std::string& component,
                                  const pb::AckPoliciesRequest& request, WallTime now) {
  if (static_cast<std::size_t>(request.states_size()) > 4 * kMaxPolicies)
    return fail(Errc::kTooLarge, "states: more than there are policies");
  AISPM_TRY(Transaction transaction, Transaction::begin(database_));
  for (const auto& state : request.states()) {
    std::string problem = state.problem();
    cut_utf8(problem, limits::kMaxNameBytes * 2);
    AISPM_CHECK(run_sql(database_,
                        "INSERT INTO policy_states (policy_id, version, host_id, component, "
                        "problem, time) SELECT policy_id, version, ?3, ?4, ?5, ?6 FROM "
                        "policy_versions WHERE policy_id=?1 AND version=?2 AND (SELECT COUNT(*) "
                        "FROM policy_states s WHERE s.policy_id=?1 AND s.version=?2 AND "
                        "s.host_id=?3 AND s.component<>?4)<?7 "
                        "ON CONFLICT DO UPDATE SET problem=excluded.problem, time=excluded.time",
                        state.policy_id(), state.version(), host_id, component, problem,
                        now.nanoseconds, kMaxDaemonsOfHost));
  }
  return transaction.commit();
}

}  // namespace aispm::collector::store
