// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

// How a collector names the orders that it makes of freezes, and sensors tell them: "freeze:ID" is
// about agents, "freeze:ID/PID" about one run in a sandbox. All orders of one freeze do the same,
// so that to a sensor they are one rule about several processes.
namespace aispm::model {

inline constexpr std::string_view kFreezeOrder = "freeze:";
inline constexpr char kFreezeRunMark = '/';

inline std::string freeze_order_id(std::string_view freeze_id) {
  return std::string(kFreezeOrder).append(freeze_id);
}
inline std::string freeze_order_id(std::string_view freeze_id, std::uint32_t run_pid) {
  return freeze_order_id(freeze_id) + kFreezeRunMark + std::to_string(run_pid);
}

// The rule that an order is part of: its own id, but for orders about the runs of a freeze.
inline std::string_view rule_of_order(std::string_view order_id) {
  return order_id.starts_with(kFreezeOrder) ? order_id.substr(0, order_id.find(kFreezeRunMark))
                                            : order_id;
}

}  // namespace aispm::model
