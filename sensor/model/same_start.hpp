// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "sdk/core/common/time.hpp"

namespace aispm::sensor {

// True when both are the start of one process: kernel records carry nanoseconds, /proc only
// multiples of 10 ms.
constexpr bool same_start(BootTime a, BootTime b) {
  constexpr std::uint64_t kTickNanoseconds = 10'000'000;
  if (a == b) return true;
  const bool is_from_proc =
      a.nanoseconds % kTickNanoseconds == 0 || b.nanoseconds % kTickNanoseconds == 0;
  return is_from_proc && a.nanoseconds / kTickNanoseconds == b.nanoseconds / kTickNanoseconds;
}

}  // namespace aispm::sensor
