// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>

#include "sdk/core/common/id.hpp"

namespace aispm::report {

// Waits between attempts: doubling from 200 ms to 15 s, each scattered over its upper half, so that
// a fleet does not return to a restarted collector in one moment. Not thread-safe.
class Backoff {
 public:
  static constexpr std::chrono::milliseconds kFirst{200};
  static constexpr std::chrono::milliseconds kLongest{15'000};

  std::chrono::milliseconds next() {
    const auto full = current_;
    current_ = std::min(current_ * 2, kLongest);
    std::array<std::uint8_t, 2> random{};
    fill_random(random);
    const auto scatter = full.count() * (random[0] | random[1] << 8) / 65536;
    return full / 2 + std::chrono::milliseconds(scatter / 2);
  }
  void reset() { current_ = kFirst; }

 private:
  std::chrono::milliseconds current_ = kFirst;
};

}  // namespace aispm::report
