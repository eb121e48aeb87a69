// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aispm/v1/policy.pb.h"
#include "gateway/collector/role.hpp"
#include "gateway/collector/store/database.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/common/time.hpp"

namespace aispm::collector::store {

namespace pb = aispm::v1;

// Who answers: the holder of a token or of a link.
struct Approver {
  std::string name;    // for the record
  std::string person;  // must not be whoever asked
  Role role = Role::kViewer;
  std::vector<std::string> roles;  // in which this one may approve
};

// Whether an answer would come from whoever asked: the requester, the agent or its user.
bool is_requester(const Approver& who, const pb::Approval& approval);

// Actions that wait for a person. One approval is good for one action of one agent with just these
// arguments, once, until it expires. Owned by one thread; other connections may write at the same
// time.
class ApprovalBook {
 public:
  static constexpr std::size_t kMaxOpen = 10'000;
  static constexpr std::size_t kMaxOpenOfAgent = 100;
  static constexpr std::size_t kMaxSnapshot = 1000;  // newest, of one gateway
  static constexpr std::uint32_t kDefaultSeconds = 3600;
  static constexpr std::uint32_t kMaxSeconds = 7 * 86400;
  // Who was told no is not asked again for the same action before this has passed.
  static constexpr std::int64_t kDeniedSeconds = 600;

  explicit ApprovalBook(Database& database) : database_(database) {}

  // The approval for the same action that waits, is approved and unused, or was denied lately; else
  // a new one. kInvalid names the field; kExhausted: too many wait.
  Result<pb::Approval> request(const pb::RequestApprovalRequest& request,
                               const std::string& host_id, WallTime now);
  // Uses an approved one up. kNotFound: none such. kDenied: it is not approved, was used before,
  // has expired, or is for another action or agent.
  Result<pb::Approval> use(const pb::UseApprovalRequest& request, const std::string& host_id,
                           WallTime now);
  // kDenied: not for this one to answer. kInvalid: an answer that does not fit, or nobody is asked
  // any more.
  Result<pb::Approval> decide(const pb::DecideApprovalRequest& request, const Approver& who,
                              WallTime now);

  Result<pb::Approval> get(std::string_view approval_id, WallTime now);
  // Newest first.
  Result<pb::ApprovalList> list(const pb::ListApprovalsRequest& request, WallTime now);
  Result<pb::ApprovalSnapshot> snapshot_for(const std::string& host_id, WallTime now);

 private:
  Result<std::optional<pb::Approval>> find_same(const pb::Approval& wanted, WallTime now);
  Result<> check_room(const pb::Approval& wanted, WallTime now);
  Result<> store(const pb::Approval& approval, WallTime now);
  Result<> note(const pb::Approval& after, pb::ApprovalState before, const std::string& who,
                const std::string& action, const std::string& reason, WallTime now);

  Database& database_;
};

// Forgets at most `limit` approvals that last changed and expired before `oldest`, with their
// links, and notes how many as an action of "retention". Within the caller's transaction.
Result<std::uint64_t> forget_approvals(Database& database, WallTime oldest, WallTime now,
                                       std::uint32_t limit);

// Whether somebody may still answer.
bool is_open(pb::ApprovalState state);
// "pending", "approved", ...
std::string name_of(pb::ApprovalState state);

}  // namespace aispm::collector::store
