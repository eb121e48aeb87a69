// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/decide/denial_streaks.hpp"

#include <gmock/gmock.h>

namespace aispm::gateway {
namespace {

TEST(DenialStreaks, CountOnlyDenialsInARow) {
  DenialStreaks streaks;
  for (int i = 0; i < 3; ++i) streaks.note("a", true);
  EXPECT_EQ(streaks.of("a"), 3U);
  streaks.note("a", false);
  EXPECT_EQ(streaks.of("a"), 0U);
  for (std::size_t i = 0; i < DenialStreaks::kMaxAgents + 2; ++i)
    streaks.note(std::to_string(i), true);
  EXPECT_EQ(streaks.forgotten(), 2U);
  EXPECT_EQ(streaks.of("0"), 0U);
  EXPECT_EQ(streaks.of("2"), 1U);
}

}  // namespace
}  // namespace aispm::gateway
