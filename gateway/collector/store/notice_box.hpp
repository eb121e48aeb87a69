// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "aispm/v1/policy.pb.h"
#include "gateway/collector/store/database.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/common/time.hpp"

namespace aispm::collector::store {

namespace pb = aispm::v1;

struct DueNotice {
  std::int64_t ref = 0;
  int tries = 0;  // before
  pb::Approval approval;
};

// Approvals that wait and of which people are still to be told. They are the store's own rows, so
// neither a crash nor a receiver that is away loses one, and there are as many as approvals may
// wait. Owned by one thread; other connections may write at the same time.
class NoticeBox {
 public:
  explicit NoticeBox(Database& database) : database_(database) {}

  // Forgets notices of what was answered or has expired. How many had been tried in vain.
  Result<std::uint64_t> drop_closed(WallTime now);
  // Empty: none is due by `now`.
  Result<std::optional<DueNotice>> next(WallTime now);
  Result<> mark_taken(std::int64_t ref);
  // Not taken: to be tried again.
  Result<> put_off(std::int64_t ref, WallTime until);
  struct Waiting {
    std::uint64_t count = 0;
    std::optional<WallTime> due;  // of the first
  };
  Result<Waiting> waiting();

 private:
  Database& database_;
};

}  // namespace aispm::collector::store
