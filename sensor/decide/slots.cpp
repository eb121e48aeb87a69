// SPDX-License-Identifier: Apache-2.0
#include "sensor/decide/slots.hpp"

#include <algorithm>

namespace aispm::sensor {

std::optional<std::size_t> Slots::take(const RuleSlot& owner) {
  if (const auto known = std::ranges::find(table_, owner); known != table_.end())
    return static_cast<std::size_t>(known - table_.begin());
  for (std::size_t i = 0; i < table_.size(); ++i) {
    if (!table_[i].order_id.empty() || cooling_.contains(i)) continue;
    table_[i] = owner;
    return i;
  }
  return std::nullopt;
}

void Slots::keep_only(const std::set<RuleSlot>& wanted) {
  for (std::size_t i = 0; i < table_.size(); ++i) {
    if (table_[i].order_id.empty() || wanted.contains(table_[i])) continue;
    table_[i] = {};
    cooling_.insert(i);
  }
}

}  // namespace aispm::sensor
