// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>

namespace aispm {

// Nanoseconds since boot (CLOCK_BOOTTIME): what the kernel stamps on its records. Comparable on one
// boot of one host only.
struct BootTime {
  std::uint64_t nanoseconds = 0;
  auto operator<=>(const BootTime&) const = default;
};

// Nanoseconds since 1970 (CLOCK_REALTIME): what leaves the host.
struct WallTime {
  std::int64_t nanoseconds = 0;
  auto operator<=>(const WallTime&) const = default;
};

// The one place where both clocks meet. Reads the offset once; `refresh()` after a clock step.
class ClockConverter {
 public:
  ClockConverter() { refresh(); }
  void refresh();
  WallTime to_wall(BootTime time) const {
    return {static_cast<std::int64_t>(time.nanoseconds) + offset_nanoseconds_};
  }

 private:
  std::int64_t offset_nanoseconds_ = 0;
};

BootTime boot_now();
WallTime wall_now();

// Clocks are passed in so that tests own time.
using WallClock = std::function<WallTime()>;

// "2026-11-21T03:45:00.123456Z"
std::string to_rfc3339(WallTime time);

}  // namespace aispm
