// SPDX-License-Identifier: Apache-2.0
// DET-046: budgets are of work: a thread that waits uses none of them up.
#include "sdk/core/detect/work_clock.hpp"

#include <gtest/gtest.h>
#include <time.h>

#include <chrono>

namespace aispm::detect {
namespace {

using std::chrono::milliseconds;

TEST(WorkClock, StandsStillWhileTheThreadWaits) {
  const auto begin = work_now();
  const auto until = std::chrono::steady_clock::now() + milliseconds(300);
  while (std::chrono::steady_clock::now() < until) {
    const timespec rest{.tv_sec = 0, .tv_nsec = 50'000'000};
    ::nanosleep(&rest, nullptr);
  }
  EXPECT_LT(work_now() - begin, milliseconds(100));
}

TEST(WorkClock, GoesOnWithWorkAndNeverBack) {
  const auto begin = work_now();
  auto last = begin;
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  const auto worked = [] {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
  };
  const auto end = worked() + milliseconds(40);
  while (worked() < end) {
    const auto now = work_now();
    ASSERT_GE(now, last);
    last = now;
  }
  EXPECT_GT(work_now() - begin, milliseconds(30));
}

}  // namespace
}  // namespace aispm::detect
