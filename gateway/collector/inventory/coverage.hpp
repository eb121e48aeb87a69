// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>

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
  void see_name(const Concern& concern, const aispm::v1::Event& event);
  // Writes the names, summed over the transaction.
  Result<> flush();
  void forget();
  // Rows refused since the last call because there are too many.
  std::uint64_t take_refused();

 private:
  // host, agent (0 for none), program, name, source
  using NameKey = std::tuple<std::int64_t, std::int64_t, std::string, std::string, std::string>;
  struct NameUse {
    std::uint64_t count = 0;
    std::int64_t first = INT64_MAX;
    std::int64_t last = INT64_MIN;
    std::string provider;
    bool is_encrypted = false;
    bool is_doh = false;
  };
  Result<> write_name(const NameKey& key, const NameUse& use);

  store::Database& database_;
  std::map<NameKey, NameUse> names_;
  std::int64_t name_count_ = -1;  // -1 before they were counted
  std::int64_t row_count_ = -1;
  std::uint64_t refused_ = 0;
};

}  // namespace aispm::collector::inventory
