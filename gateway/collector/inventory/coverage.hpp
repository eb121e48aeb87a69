// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "aispm/v1/event.pb.h"
#include "gateway/collector/inventory/tally.hpp"
#include "gateway/collector/store/database.hpp"
#include "sdk/core/common/result.hpp"

namespace aispm::collector::inventory {

// The newest TLS coverage of each process, and the names that programs used. Lives on the writer's
// thread, inside its transaction.
class Coverage {
 public:
  explicit Coverage(store::Database& database) : database_(database) {}

  // TlsCoverage: totals, so that the newest report replaces the one before.
  Result<> see(const Concern& concern, const aispm::v1::Event& event);
  Result<> see_name(const Concern& concern, const aispm::v1::Event& event);
  void forget() { name_count_ = row_count_ = -1; }
  // Rows refused since the last call because there are too many.
  std::uint64_t take_refused();

 private:
  store::Database& database_;
  std::int64_t name_count_ = -1;  // -1 before they were counted
  std::int64_t row_count_ = -1;
  std::uint64_t refused_ = 0;
};

}  // namespace aispm::collector::inventory
