// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "gateway/collector/store/approval_book.hpp"
#include "sdk/core/common/secret.hpp"

namespace aispm::collector::store {

// Links by which one person answers one approval, once, without a token: an id, and a MAC by the
// collector's key over all that the link stands for. Owned by one thread.
class ApprovalLinks {
 public:
  static constexpr std::size_t kMaxLinksOfOne = 32;

  // `key` must outlive it.
  ApprovalLinks(Database& database, const Secret& key) : database_(database), key_(key) {}

  // kDenied: `by` may not answer this approval and is no admin, so may not give that away either.
  Result<pb::ApprovalLink> create(const pb::CreateApprovalLinkRequest& request, const Approver& by,
                                  WallTime now);

  struct Shown {
    pb::Approval approval;
    Approver who;
  };
  // What the link is for. kNotFound: it was not made here, was used, or has expired.
  Result<Shown> open(std::string_view token, WallTime now);
  // Answers with it; the link is used up only when the answer counts.
  Result<pb::Approval> answer(std::string_view token, pb::DecideApprovalRequest request,
                              WallTime now);

 private:
  std::string token_of(const std::string& link_id, const std::string& approval_id,
                       const std::string& person, const std::string& roles,
                       std::int64_t expires) const;

  Database& database_;
  const Secret& key_;
};

// Roles as stored: 0 to 16 names of a-z 0-9 _ - separated by spaces. kInvalid otherwise.
Result<std::string> join_roles(const std::vector<std::string>& roles);
std::vector<std::string> split_roles(const std::string& text);

}  // namespace aispm::collector::store
