// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/store/paging.hpp"
#include "gateway/collector/store/policy_shelf.hpp"
#include "gateway/collector/store/policy_stages.hpp"
#include "gateway/collector/store/registry.hpp"

// The part of PolicyShelf that changes nothing.
namespace aispm::collector::store {
namespace {

constexpr std::string_view kColumns =
    "SELECT p.ref, p.policy_id, p.description, p.stage, p.scope, p.version, p.candidate, p.newest, "
    "p.created, p.created_by, p.updated, p.updated_by, v.digest, v.signed_by, v.expires "
    "FROM policies p LEFT JOIN policy_versions v ON v.policy_id=p.policy_id AND "
    "v.version=p.version ";

}  // namespace

Result<pb::Policy> PolicyShelf::read(const Statement& row) {
  pb::Policy policy;
  policy.set_id(row.text(1));
  policy.set_description(row.text(2));
  policy.set_stage(static_cast<pb::PolicyStage>(row.integer(3)));
  const std::string_view scope = row.blob(4);
  if (!policy.mutable_scope()->ParseFromArray(scope.data(), static_cast<int>(scope.size())))
    return fail(Errc::kInternal, "store: a policy's scope cannot be read");
  policy.set_version(row.count(5));
  policy.set_candidate_version(row.count(6));
  policy.set_newest_version(row.count(7));
  set_time(row.integer(8), policy.mutable_created());
  policy.set_created_by(row.text(9));
  set_time(row.integer(10), policy.mutable_updated());
  policy.set_updated_by(row.text(11));
  policy.set_digest(row.text(12));
  policy.set_signed_by(row.text(13));
  if (!row.is_null(14)) set_time(row.integer(14), policy.mutable_expires());
  return policy;
}

Result<pb::Policy> PolicyShelf::find(std::string_view policy_id) {
  AISPM_TRY(Statement* const find, database_.cached(std::string(kColumns) + "WHERE p.policy_id=?"));
  AISPM_TRY(const bool is_row, find->bind(policy_id).step());
  if (!is_row) return fail(Errc::kNotFound, "no policy has that id");
  auto policy = read(*find);
  find->reset();
  return policy;
}

Result<> PolicyShelf::describe(pb::Policy* policy) {
  AISPM_TRY(Statement* const states,
            database_.cached("SELECT host_id, component, version, problem, time FROM policy_states "
                             "WHERE policy_id=?1 AND version IN (?2, ?3) "
                             "ORDER BY version, host_id, component LIMIT 1000"));
  const std::uint64_t candidate = policy->candidate_version();
  const std::uint64_t version = policy->version();
  states->bind(policy->id(), version, candidate);
  for (;;) {
    AISPM_TRY(const bool is_row, states->step());
    if (!is_row) return {};
    pb::PolicyHostState& state = *policy->add_states();
    state.set_host_id(states->text(0));
    state.set_component(states->text(1));
    state.set_version(states->count(2));
    state.set_problem(states->text(3));
    set_time(states->integer(4), state.mutable_time());
  }
}

Result<pb::Policy> PolicyShelf::get(std::string_view policy_id) {
  AISPM_TRY(pb::Policy policy, find(policy_id));
  AISPM_CHECK(describe(&policy));
  return policy;
}

Result<pb::PolicyList> PolicyShelf::list(const pb::ListPoliciesRequest& request) {
  const QueryDeadline deadline(database_);
  AISPM_TRY(const std::uint32_t limit, page_limit(request.page_size()));
  AISPM_TRY(const auto after, PageToken::decode(request.page_token()));
  AISPM_TRY(Statement* const find,
            database_.cached(std::string(kColumns) +
                             "WHERE (?1 OR p.stage<>?2) AND (?3 OR p.ref>?4) ORDER BY p.ref "
                             "LIMIT ?5"));
  find->bind(request.with_deprecated(), static_cast<int>(pb::POLICY_STAGE_DEPRECATED), !after,
             after ? after->ref : 0, limit + 1);
  pb::PolicyList list;
  AISPM_TRY(*list.mutable_next_page_token(),
            read_page(*find, limit, 0, 0, [&](const Statement& row) -> Result<> {
              AISPM_TRY(pb::Policy policy, read(row));
              if (request.agent_id().empty() || reaches(policy.scope(), request.agent_id()))
                *list.add_policies() = std::move(policy);
              return {};
            }));
  for (pb::Policy& policy : *list.mutable_policies()) AISPM_CHECK(describe(&policy));
  return list;
}

Result<pb::PolicyVersion> PolicyShelf::version(std::string_view policy_id, std::uint64_t version) {
  AISPM_TRY(Statement* const find,
            database_.cached("SELECT body FROM policy_versions WHERE policy_id=?1 AND "
                             "(version=?2 OR ?2=0) ORDER BY version DESC LIMIT 1"));
  AISPM_TRY(const bool is_row, find->bind(policy_id, version).step());
  if (!is_row) return fail(Errc::kNotFound, "no policy has that id and version");
  pb::PolicyVersion found;
  const std::string_view body = find->blob(0);
  const bool is_read = found.ParseFromArray(body.data(), static_cast<int>(body.size()));
  find->reset();
  if (!is_read) return fail(Errc::kInternal, "store: a version cannot be read");
  return found;
}

Result<pb::PolicyVersion> PolicyShelf::version_at(std::string_view policy_id, WallTime then) {
  AISPM_TRY(Statement* const find,
            database_.cached("SELECT body FROM policy_versions WHERE policy_id=? "
                             "ORDER BY version DESC"));
  find->bind(policy_id);
  for (;;) {
    AISPM_TRY(const bool is_row, find->step());
    if (!is_row) return fail(Errc::kNotFound, "no version of this policy is that old");
    pb::PolicyVersion found;
    const std::string_view body = find->blob(0);
    const bool is_read = found.ParseFromArray(body.data(), static_cast<int>(body.size()));
    const std::int64_t made = found.created().seconds() * 1'000'000'000 + found.created().nanos();
    if (is_read && made > then.nanoseconds) continue;
    find->reset();
    if (!is_read) return fail(Errc::kInternal, "store: a version cannot be read");
    return found;
  }
}

Result<pb::PolicyVersionList> PolicyShelf::versions(std::string_view policy_id) {
  AISPM_TRY(const pb::Policy policy, find(policy_id));
  (void)policy;
  AISPM_TRY(Statement* const find,
            database_.cached("SELECT body FROM policy_versions WHERE policy_id=? "
                             "ORDER BY version DESC LIMIT 1000"));
  find->bind(policy_id);
  pb::PolicyVersionList list;
  for (;;) {
    AISPM_TRY(const bool is_row, find->step());
    if (!is_row) return list;
    const std::string_view body = find->blob(0);
    pb::PolicyVersion& one = *list.add_versions();
    if (!one.ParseFromArray(body.data(), static_cast<int>(body.size())))
      return fail(Errc::kInternal, "store: a version cannot be read");
    one.clear_files();
  }
}

}  // namespace aispm::collector::store
