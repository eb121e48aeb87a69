// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <map>
#include <optional>
#include <set>

#include "sensor/model/enforce_tables.hpp"

namespace aispm::sensor {

// Which bit belongs to which order. A bit stays with its order for as long as the order lives, also
// over restarts, because the kernel's tables are full of it. A bit that became free is not given
// out again before release(): until then the tables still hold it.
class Slots {
 public:
  using Table = std::array<RuleSlot, AISPM_RULES>;
  Slots() = default;
  explicit Slots(const Table& known) : table_(known) {}

  // The bit of this part of an order, a new one if needed. Nothing when all are taken.
  std::optional<std::size_t> take(const RuleSlot& owner);
  // Frees every bit whose owner is not in `wanted`.
  void keep_only(const std::set<RuleSlot>& wanted);
  // The tables hold no freed bit any more.
  void release() { cooling_.clear(); }

  const Table& table() const { return table_; }

 private:
  Table table_{};
  std::set<std::size_t> cooling_;
};

}  // namespace aispm::sensor
