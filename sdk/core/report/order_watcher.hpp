// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sdk/core/model/order.hpp"
#include "sdk/core/report/reporter.hpp"

namespace aispm::report {

// What this host made of one order.
struct OrderState {
  std::string order_id;
  std::string problem;  // empty: in force
};

// Follows the collector's orders for this host (same certificate and state folder as a Reporter).
// The last snapshot is kept on disk, so that orders are in force when the collector cannot be
// reached, also after a restart; those that are overdue then count no more.
class OrderWatcher {
 public:
  // Runs on a thread of the watcher: at once with the snapshot on disk (without one, with no
  // orders; not at all when it is damaged), and with every new one.
  using OnChange = std::function<void(std::vector<model::Order> orders, std::uint64_t version)>;
  static Result<std::unique_ptr<OrderWatcher>> open(const ReporterOptions& options,
                                                    OnChange on_change);
  virtual ~OrderWatcher() = default;
  // Tells the collector. Any thread; never blocks. The latest word is repeated after a reconnect.
  virtual void acknowledge(std::uint64_t version, std::vector<OrderState> states) = 0;
};

}  // namespace aispm::report
