// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "aispm/v1/enforce.pb.h"
#include "gateway/collector/store/database.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/common/time.hpp"

namespace aispm::collector::store {

namespace pb = aispm::v1;

// Orders of operators to sensors, with who gave and who withdrew them. Owned by one thread; other
// connections may write at the same time.
class OrderBook {
 public:
  static constexpr std::size_t kMaxLive = 200;       // in force at once; a sensor holds 256
  static constexpr std::size_t kMaxListItems = 256;  // in each list of an order
  static constexpr std::uint32_t kMaxValidSeconds = 366 * 86400;

  explicit OrderBook(Database& database) : database_(database) {}

  // kInvalid for an order that names nobody and nothing, or more than it may. kExhausted when
  // kMaxLive are in force.
  Result<pb::Order> create(const pb::CreateOrderRequest& request, const std::string& who,
                           WallTime now);
  // Newest first, with what each host makes of them.
  Result<pb::OrderList> list(const pb::ListOrdersRequest& request, WallTime now);
  // Withdraws it. Twice is kNotFound.
  Result<pb::Order> remove(std::string_view order_id, const std::string& who, WallTime now);

  // What a host is to have in force now.
  Result<pb::OrderSnapshot> snapshot_for(const std::string& host_id, WallTime now);
  // What a host says about it. Unknown orders are ignored.
  Result<> acknowledge(const std::string& host_id, const pb::AckOrdersRequest& request,
                       WallTime now);

 private:
  Result<> raise_version();
  Result<pb::Order> read(const Statement& row);
  Result<> add_states(pb::Order* order);

  Database& database_;
};

// kInvalid with what is wrong and what is allowed.
Result<> check_order(const pb::Order& order);

}  // namespace aispm::collector::store
