// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/store/policy_shelf.hpp"

#include <algorithm>

#include "gateway/collector/limits.hpp"
#include "gateway/collector/store/checks.hpp"
#include "gateway/collector/store/operator_log.hpp"
#include "gateway/collector/store/policy_stages.hpp"
#include "gateway/collector/store/registry.hpp"
#include "sdk/core/common/crypto.hpp"
#include "sdk/core/common/utf8.hpp"
#include "sdk/core/policy/bundle.hpp"

namespace aispm::collector::store {
namespace {

// No part of the digest: the same files with a signature are another version.
template <typename Files>
std::string_view signature_in(const Files& files) {
  for (const auto& file : files)
    if (file.path() == policy::Bundle::kSignatureFile) return file.content();
  return {};
}

Result<> check_id(const std::string& id) {
  const bool is_id = !id.empty() && id.size() <= 64 && std::ranges::all_of(id, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
  if (!is_id) return fail(Errc::kInvalid, "policy_id: allowed are 1..64 characters of a-z 0-9 - _");
  return {};
}

Result<> check_files(const pb::PushPolicyRequest& request) {
  std::size_t bytes = 0;
  if (request.files().empty()) return fail(Errc::kInvalid, "files: a bundle has at least one");
  if (static_cast<std::size_t>(request.files_size()) > PolicyShelf::kMaxFiles)
    return fail(Errc::kTooLarge, "files: at most 512 are allowed");
  for (const pb::PolicyFile& file : request.files()) {
    AISPM_CHECK(check_text(file.path(), "files.path"));
    bytes += file.path().size() + file.content().size();
  }
  if (bytes > PolicyShelf::kMaxBundleBytes)
    return fail(Errc::kTooLarge, "files: all together at most 1 MiB is allowed");
  return {};
}

// Scopes may be long, and an action's event has a limit: then its hash stands for the rest.
std::string cut(std::string text) {
  constexpr std::size_t kMaxBytes = 8192;
  if (text.size() <= kMaxBytes) return text;
  const std::string hash = sha256_hex(text);
  text.resize(kMaxBytes);
  return text + "... (sha256 of all: " + hash + ")";
}

pb::OperatorAction action_of(const std::string& who, const char* what, const std::string& target,
                             const std::string& reason, std::string before, std::string after) {
  pb::OperatorAction action;
  action.set_who(who);
  action.set_action(what);
  action.set_target(target);
  action.set_reason(reason);
  action.set_before(cut(std::move(before)));
  action.set_after(cut(std::move(after)));
  return action;
}

bool is_active(const pb::Policy& policy) {
  return policy.stage() == pb::POLICY_STAGE_MONITOR || policy.stage() == pb::POLICY_STAGE_ENFORCED;
}

}  // namespace

Result<> check_scope(const pb::PolicyScope& scope) {
  AISPM_CHECK(check_list(scope.agents(), "scope.agents", PolicyShelf::kMaxScopeEntries));
  AISPM_CHECK(check_list(scope.tenants(), "scope.tenants", PolicyShelf::kMaxScopeEntries));
  AISPM_CHECK(check_list(scope.hosts(), "scope.hosts", PolicyShelf::kMaxScopeEntries));
  if (scope.priority() > PolicyShelf::kMaxPriority)
    return fail(Errc::kInvalid, "scope.priority: 0..1000 is allowed");
  return {};
}

Result<> check_reason(const std::string& reason) {
  if (reason.empty()) return fail(Errc::kInvalid, "reason: say why");
  return check_text(reason, "reason", 1024);
}

Result<> PolicyShelf::raise_version() {
  // Sensors get what is for them as orders.
  for (const std::string_view counter : {"policy_version", "order_version"})
    AISPM_CHECK(raise_counter(database_, counter));
  return {};
}

Result<bool> PolicyShelf::is_empty() {
  AISPM_TRY(Statement* const find, database_.cached("SELECT 1 FROM policies LIMIT 1"));
  AISPM_TRY(const bool is_row, find->step());
  find->reset();
  return !is_row;
}

Result<> PolicyShelf::add_version(const std::string& policy_id, std::uint64_t number,
                                  pb::PolicyVersion version, const Checked& checked) {
  if (number > kMaxVersions && refuse_registry(policy_id))
    return fail(Errc::kExhausted, "the policy has 10000 versions: begin a new one");
  version.set_policy_id(policy_id);
  version.set_version(number);
  version.set_digest(checked.digest);
  version.set_signed_by(checked.signed_by);
  std::optional<std::int64_t> expires;
  if (checked.expires) expires = checked.expires->nanoseconds;
  std::uint64_t bytes = 0;
  for (const pb::PolicyFile& file : version.files())
    bytes += file.path().size() + file.content().size();
  const std::string body = version.SerializeAsString();
  return run_sql(database_,
                 "INSERT INTO policy_versions (policy_id, version, digest, signed_by, expires, "
                 "bytes, body) VALUES (?,?,?,?,?,?,?)",
                 policy_id, number, checked.digest, checked.signed_by, expires, bytes, Blob{body});
}

Result<> PolicyShelf::make(const pb::PushPolicyRequest& request, const std::string& who,
                           WallTime now) {
  AISPM_CHECK(check_scope(request.scope()));
  AISPM_CHECK(check_text(request.description(), "description", 1024));
  AISPM_TRY(Statement* const count, database_.cached("SELECT COUNT(*) FROM policies"));
  AISPM_TRY(const bool is_row, count->step());
  const std::uint64_t policies = is_row ? count->count(0) : 0;
  count->reset();
  if (policies >= kMaxPolicies) return fail(Errc::kExhausted, "there are 256 policies already");
  const std::string scope = request.scope().SerializeAsString();
  return run_sql(database_,
                 "INSERT INTO policies (policy_id, description, stage, scope, version, candidate, "
                 "newest, created, created_by, updated, updated_by) "
                 "VALUES (?1,?2,?3,?4,0,0,0,?5,?6,?5,?6)",
                 request.policy_id(), request.description(),
                 static_cast<int>(pb::POLICY_STAGE_DRAFT), Blob{scope}, now.nanoseconds, who);
}

Result<pb::Policy> PolicyShelf::push(const pb::PushPolicyRequest& request, const Checked& checked,
                                     const std::string& who, WallTime now, By by) {
  AISPM_CHECK(check_id(request.policy_id()));
  AISPM_CHECK(check_text(request.comment(), "comment", 1024));
  AISPM_CHECK(check_files(request));
  AISPM_TRY(Transaction transaction, Transaction::begin(database_));
  auto known = find(request.policy_id());
  if (!known && known.error().code != Errc::kNotFound) return fail(known.error());
  if (!known) {
    AISPM_CHECK(make(request, who, now));
  }
  AISPM_TRY(pb::Policy policy, find(request.policy_id()));
  if (policy.stage() == pb::POLICY_STAGE_DEPRECATED)
    return fail(Errc::kExists, "the policy is deprecated, and that is for good");
  if (policy.newest_version() > 0) {
    AISPM_TRY(const pb::PolicyVersion newest,
              version(request.policy_id(), policy.newest_version()));
    if (newest.digest() == checked.digest && newest.signed_by() == checked.signed_by &&
        signature_in(newest.files()) == signature_in(request.files()))
      return fail(Errc::kExists,
                  "version " + std::to_string(newest.version()) + " has just these files");
  }
  const std::uint64_t number = policy.newest_version() + 1;
  pb::PolicyVersion added;
  added.set_comment(request.comment());
  set_time(now.nanoseconds, added.mutable_created());
  added.set_created_by(who);
  *added.mutable_files() = request.files();
  std::sort(added.mutable_files()->begin(), added.mutable_files()->end(),
            [](const auto& left, const auto& right) { return left.path() < right.path(); });
  AISPM_CHECK(add_version(policy.id(), number, std::move(added), checked));
  const std::string before = describe_stage(policy);
  policy.set_newest_version(number);
  if (policy.stage() == pb::POLICY_STAGE_DRAFT) policy.set_version(number);
  AISPM_CHECK(save(policy, who, now));
  if (by == By::kOperator)
    AISPM_CHECK(note_operator_action(database_,
                                     action_of(who, "policy.push", policy.id(), request.comment(),
                                               before, "version " + std::to_string(number)),
                                     now));
  AISPM_CHECK(transaction.commit());
  return get(policy.id());
}

Result<> PolicyShelf::save(const pb::Policy& policy, const std::string& who, WallTime now) {
  const std::string scope = policy.scope().SerializeAsString();
  return run_sql(database_,
                 "UPDATE policies SET stage=?, scope=?, version=?, candidate=?, newest=?, "
                 "updated=?, updated_by=? WHERE policy_id=?",
                 static_cast<int>(policy.stage()), Blob{scope}, policy.version(),
                 policy.candidate_version(), policy.newest_version(), now.nanoseconds, who,
                 policy.id());
}

Result<pb::Policy> PolicyShelf::restore(const pb::RestorePolicyRequest& request,
                                        const std::string& who, WallTime now) {
  AISPM_CHECK(check_reason(request.reason()));
  if (request.version() == 0) return fail(Errc::kInvalid, "version: say which");
  AISPM_TRY(Transaction transaction, Transaction::begin(database_));
  AISPM_TRY(pb::Policy policy, find(request.policy_id()));
  if (policy.stage() == pb::POLICY_STAGE_DEPRECATED)
    return fail(Errc::kExists, "the policy is deprecated, and that is for good");
  AISPM_TRY(pb::PolicyVersion old, version(request.policy_id(), request.version()));
  AISPM_TRY(
      Statement* const facts,
      database_.cached("SELECT expires FROM policy_versions WHERE policy_id=? AND version=?"));
  AISPM_TRY(const bool is_row, facts->bind(request.policy_id(), request.version()).step());
  Checked checked{old.digest(), old.signed_by(), std::nullopt};
  if (is_row && !facts->is_null(0)) checked.expires = WallTime{facts->integer(0)};
  facts->reset();
  const std::uint64_t number = policy.newest_version() + 1;
  old.set_restored_from(request.version());
  old.set_comment(request.reason());
  set_time(now.nanoseconds, old.mutable_created());
  old.set_created_by(who);
  AISPM_CHECK(add_version(policy.id(), number, std::move(old), checked));
  policy.set_newest_version(number);
  if (policy.stage() == pb::POLICY_STAGE_DRAFT) policy.set_version(number);
  AISPM_CHECK(save(policy, who, now));
  AISPM_CHECK(note_operator_action(database_,
                                   action_of(who, "policy.restore", policy.id(), request.reason(),
                                             "version " + std::to_string(request.version()),
                                             "version " + std::to_string(number)),
                                   now));
  AISPM_CHECK(transaction.commit());
  return get(policy.id());
}

Result<> PolicyShelf::check_ready(const pb::Policy& policy, std::uint64_t version,
                                  const Followers& followers) {
  AISPM_TRY(const pb::PolicyVersion content, this->version(policy.id(), version));
  const bool is_for_sensors = std::ranges::any_of(content.files(), [](const pb::PolicyFile& file) {
    return file.path() == policy::Bundle::kSensorFile;
  });
  std::string waiting;
  for (const auto& [host, component] : followers) {
    if (component == "sensord" && !is_for_sensors) continue;
    const auto& hosts = policy.scope().hosts();
    if (!hosts.empty() && std::find(hosts.begin(), hosts.end(), host) == hosts.end()) continue;
    AISPM_TRY(Statement* const find,
              database_.cached("SELECT problem FROM policy_states WHERE policy_id=? AND version=? "
                               "AND host_id=? AND component=?"));
    AISPM_TRY(const bool is_row, find->bind(policy.id(), version, host, component).step());
    const std::string problem = is_row ? find->text(0) : "has not said so yet";
    find->reset();
    if (!problem.empty())
      waiting += (waiting.empty() ? "" : "; ") + component + " of host " + host + ": " + problem;
  }
  if (waiting.empty()) return {};
  return fail(Errc::kExists,
              "version " + std::to_string(version) +
                  " is not in force everywhere yet (force does it all the same): " + waiting);
}

Result<> PolicyShelf::move(pb::Policy* policy, const pb::PromotePolicyRequest& request,
                           const Followers& followers) {
  AISPM_TRY(const StageMove step, plan_move(*policy, request));
  if (step.stage == pb::POLICY_STAGE_MONITOR || step.stage == pb::POLICY_STAGE_ENFORCED) {
    AISPM_CHECK(check_signed(policy->id(), step.version));
    if (step.candidate != 0) AISPM_CHECK(check_signed(policy->id(), step.candidate));
  }
  if (step.needs_followers && !request.force())
    AISPM_CHECK(check_ready(*policy, step.version, followers));
  policy->set_stage(step.stage);
  policy->set_version(step.version);
  policy->set_candidate_version(step.candidate);
  return {};
}

Result<> PolicyShelf::check_signed(const std::string& policy_id, std::uint64_t number) {
  if (signers_ == nullptr) return {};
  AISPM_TRY(const pb::PolicyVersion found, version(policy_id, number));
  // A key may have been withdrawn since.
  if (std::ranges::find(*signers_, found.signed_by()) != signers_->end()) return {};
  return fail(Errc::kDenied,
              "version " + std::to_string(number) +
                  (found.signed_by().empty()
                       ? " is not signed"
                       : " is signed by " + found.signed_by() + ", which is not trusted any more") +
                  ", and this collector demands a trusted signature");
}

Result<> PolicyShelf::check_room() {
  AISPM_TRY(
      Statement* const sum,
      database_.cached("SELECT IFNULL(SUM(v.bytes), 0) FROM policies p JOIN policy_versions v "
                       "ON v.policy_id=p.policy_id AND v.version IN (p.version, p.candidate) "
                       "WHERE p.stage IN (2, 3)"));
  AISPM_TRY(const bool is_row, sum->step());
  const std::uint64_t bytes = is_row ? sum->count(0) : 0;
  sum->reset();
  if (bytes <= kMaxSnapshotBytes) return {};
  return fail(Errc::kExhausted,
              "all policies in force together may have 32 MiB: deprecate some first");
}

Result<pb::Policy> PolicyShelf::promote(const pb::PromotePolicyRequest& request,
                                        const Followers& followers, const std::string& who,
                                        WallTime now) {
  AISPM_CHECK(check_reason(request.reason()));
  AISPM_TRY(Transaction transaction, Transaction::begin(database_));
  AISPM_TRY(pb::Policy policy, find(request.policy_id()));
  const std::string before = describe_stage(policy);
  AISPM_CHECK(move(&policy, request, followers));
  AISPM_CHECK(save(policy, who, now));
  AISPM_CHECK(check_room());
  AISPM_CHECK(raise_version());
  AISPM_CHECK(note_operator_action(
      database_,
      action_of(who, action_name(request.stage()), policy.id(), request.reason(), before,
                describe_stage(policy) + (request.force() ? " (forced)" : "")),
      now));
  AISPM_CHECK(transaction.commit());
  return get(policy.id());
}

Result<pb::Policy> PolicyShelf::set_scope(const pb::SetPolicyScopeRequest& request,
                                          const std::string& who, WallTime now) {
  AISPM_CHECK(check_reason(request.reason()));
  AISPM_CHECK(check_scope(request.scope()));
  AISPM_TRY(Transaction transaction, Transaction::begin(database_));
  AISPM_TRY(pb::Policy policy, find(request.policy_id()));
  const std::string before = policy.scope().ShortDebugString();
  *policy.mutable_scope() = request.scope();
  AISPM_CHECK(save(policy, who, now));
  if (is_active(policy)) AISPM_CHECK(raise_version());
  AISPM_CHECK(note_operator_action(database_,
                                   action_of(who, "policy.scope", policy.id(), request.reason(),
                                             before, request.scope().ShortDebugString()),
                                   now));
  AISPM_CHECK(transaction.commit());
  return get(policy.id());
}

}  // namespace aispm::collector::store
