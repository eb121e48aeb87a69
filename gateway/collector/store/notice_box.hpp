// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "aispm/v1/policy.pb.h"
#include "gateway/collector/store/database.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/common/time.hpp"

namespace aispm::collector::store {

namespace pb = aispm::v1;

struct DueNotice {
  int tries = 0;  // before
  pb::Approval approval;
  std::int64_t asking = 0;  // raised whenever somebody else is asked
  bool was_told = false;    // of an earlier one
};

// Approvals that wait and of which one receiver is still to be told. What was told stands in the
// store, so neither a crash nor a receiver that is away loses one, and there are as many as
// approvals may wait. Owned by one thread; other connections, also those of other receivers, may
// write at the same time.
class NoticeBox {
 public:
  NoticeBox(Database& database, std::string receiver)
      : database_(database), receiver_(std::move(receiver)) {}

  // Forgets notices of what was answered or has expired. How many had been tried in vain.
  Result<std::uint64_t> drop_closed(WallTime now);
  // Empty: none is due by `now`.
  Result<std::optional<DueNotice>> next(WallTime now);
  // Each is of the asking of the notice: if somebody else is asked by now, it is due again.
  Result<> mark_taken(const DueNotice& notice);
  // Not for this receiver, as things are.
  Result<> mark_unwanted(const DueNotice& notice);
  // Not taken: to be tried again.
  Result<> put_off(const DueNotice& notice, WallTime until);
  struct Waiting {
    std::uint64_t count = 0;
    std::optional<WallTime> due;  // of the first
  };
  Result<Waiting> waiting(WallTime now);

  // What was not for this receiver is due again: it may be configured otherwise by now.
  Result<> forget_unwanted();

  // Forgets receivers of other names than these: who is configured anew is told of all that waits.
  static Result<> forget_others(Database& database, const std::vector<std::string>& receivers);

 private:
  Database& database_;
  const std::string receiver_;
};

}  // namespace aispm::collector::store
