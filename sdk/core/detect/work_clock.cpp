// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/work_clock.hpp"

#include <algorithm>
#include <ctime>

namespace aispm::detect {
namespace {

using Steady = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kExact{1};

std::chrono::nanoseconds thread_time() {
  timespec time{};
  // Fails for no thread that asks about itself.
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace

Steady::time_point work_now() {
  thread_local Steady::time_point asked;
  thread_local std::chrono::nanoseconds worked{0};
  thread_local std::chrono::nanoseconds last{0};
  const Steady::time_point now = Steady::now();
  const auto since = now - asked;
  if (since >= kExact) {
    asked = now;
    worked = thread_time();
    last = std::max(last, worked);
  } else {
    last = std::max(last, worked + std::chrono::duration_cast<std::chrono::nanoseconds>(since));
  }
  return Steady::time_point(std::chrono::duration_cast<Steady::duration>(last));
}

}  // namespace aispm::detect
