// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/common/time.hpp"

#include <cstdio>
#include <ctime>

namespace aispm {
namespace {

std::int64_t read_clock(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

BootTime boot_now() { return {static_cast<std::uint64_t>(read_clock(CLOCK_BOOTTIME))}; }
WallTime wall_now() { return {read_clock(CLOCK_REALTIME)}; }

void ClockConverter::refresh() {
  offset_nanoseconds_ = read_clock(CLOCK_REALTIME) - read_clock(CLOCK_BOOTTIME);
}

std::string to_rfc3339(WallTime time) {
  std::int64_t seconds = time.nanoseconds / 1'000'000'000;
  std::int64_t rest = time.nanoseconds % 1'000'000'000;
  if (rest < 0) {
    rest += 1'000'000'000;
    --seconds;
  }
  const auto clock = static_cast<std::time_t>(seconds);
  std::tm parts{};
  ::gmtime_r(&clock, &parts);
  char text[64];
  const auto size = std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text + size, sizeof(text) - size, ".%06dZ", static_cast<int>(rest / 1000));
  return text;
}

}  // namespace aispm
