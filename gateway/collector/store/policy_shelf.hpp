// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "aispm/v1/policy.pb.h"
#include "gateway/collector/store/database.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/common/time.hpp"

namespace aispm::collector::store {

namespace pb = aispm::v1;

// Policies, all their versions, and where each is in force. Every change is noted as an operator's
// action. Owned by one thread; other connections may write at the same time.
class PolicyShelf {
 public:
  static constexpr std::size_t kMaxPolicies = 256;
  static constexpr std::uint64_t kMaxVersions = 10'000;        // of one policy
  static constexpr std::size_t kMaxBundleBytes = 1U << 20;     // of one version
  static constexpr std::size_t kMaxSnapshotBytes = 32U << 20;  // of all that one host is to have
  static constexpr std::size_t kMaxFiles = 512;
  static constexpr std::size_t kMaxScopeEntries = 256;
  static constexpr std::uint32_t kMaxPriority = 1000;
  // Host id and component of those that are connected and follow policies.
  using Followers = std::set<std::pair<std::string, std::string>>;

  // What compiling a bundle told.
  struct Checked {
    std::string digest;
    std::string signed_by;
    std::optional<WallTime> expires;
  };

  // With `signers` nothing leaves DRAFT that none of these keys (by id) signed; null demands
  // nothing. They outlive the shelf.
  explicit PolicyShelf(Database& database, const std::vector<std::string>* signers = nullptr)
      : database_(database), signers_(signers) {}

  // A new version, of a new policy in DRAFT if there is none of that id. Changes nothing in force.
  // The bundle was compiled. kExists: the newest version has just these files. What is shipped
  // nobody did, so it is not noted.
  enum class By { kOperator, kShipped };
  Result<pb::Policy> push(const pb::PushPolicyRequest& request, const Checked& checked,
                          const std::string& who, WallTime now, By by = By::kOperator);
  Result<pb::PolicyList> list(const pb::ListPoliciesRequest& request);
  Result<pb::Policy> get(std::string_view policy_id);
  Result<pb::PolicyVersionList> versions(std::string_view policy_id);
  // The newest that was there at that time, with its files; kNotFound: none was.
  Result<pb::PolicyVersion> version_at(std::string_view policy_id, WallTime then);
  // With its files; 0: the newest.
  Result<pb::PolicyVersion> version(std::string_view policy_id, std::uint64_t version);
  // An old version as a new one; changes nothing in force.
  Result<pb::Policy> restore(const pb::RestorePolicyRequest& request, const std::string& who,
                             WallTime now);
  // kExists (409): not a way a policy may go, or not every follower has the version.
  Result<pb::Policy> promote(const pb::PromotePolicyRequest& request, const Followers& followers,
                             const std::string& who, WallTime now);
  Result<pb::Policy> set_scope(const pb::SetPolicyScopeRequest& request, const std::string& who,
                               WallTime now);
  Result<bool> is_empty();

  // The registry of agents and tools as the newest version of its own policy, enforced at once;
  // gives its number. The same files make no new one. Within the caller's transaction, which also
  // notes the action; kRegistryVersions are kept.
  static constexpr std::uint64_t kRegistryVersions = 200;
  Result<std::uint64_t> set_registry(std::vector<pb::PolicyFile> files, const Checked& checked,
                                     const std::string& comment, const std::string& who,
                                     WallTime now);

  // What a host is to have in force.
  Result<pb::PolicySnapshot> snapshot_for(const std::string& host_id);
  // What a component of a host says about it. What it was not given is ignored.
  Result<> acknowledge(const std::string& host_id, const std::string& component,
                       const pb::AckPoliciesRequest& request, WallTime now);

 private:
  Result<> raise_version();
  Result<pb::Policy> read(const Statement& row);
  Result<pb::Policy> find(std::string_view policy_id);
  Result<> describe(pb::Policy* policy);
  Result<> add_version(const std::string& policy_id, std::uint64_t number,
                       pb::PolicyVersion version, const Checked& checked);
  Result<> make(const pb::PushPolicyRequest& request, const std::string& who, WallTime now);
  Result<> move(pb::Policy* policy, const pb::PromotePolicyRequest& request,
                const Followers& followers);
  Result<> check_ready(const pb::Policy& policy, std::uint64_t version, const Followers& followers);
  Result<> check_signed(const std::string& policy_id, std::uint64_t version);
  Result<> check_room();
  Result<> save(const pb::Policy& policy, const std::string& who, WallTime now);

  Database& database_;
  const std::vector<std::string>* const signers_;
};

// kInvalid with what is wrong and what is allowed.
Result<> check_scope(const pb::PolicyScope& scope);
Result<> check_reason(const std::string& reason);
// kExists (409) for the policy that only the registry makes.
Result<> refuse_registry(const std::string& policy_id);

}  // namespace aispm::collector::store
