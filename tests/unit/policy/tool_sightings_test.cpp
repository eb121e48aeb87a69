// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/tool_sightings.hpp"

#include <gmock/gmock.h>

namespace aispm::policy {
namespace {

using Seen = ToolSightings::Seen;

TEST(ToolSightings, TheFirstSightCounts) {  // MCP-015
  ToolSightings sightings;
  const ToolSight one{.description = "d1", .schema = "s1"};
  const ToolSight text{.description = "d2", .schema = "s1"};
  const ToolSight schema{.description = "d1", .schema = "s2"};
  EXPECT_EQ(sightings.see("t", "a", "mail", one), Seen::kFirst);
  EXPECT_EQ(sightings.see("t", "a", "mail", one), Seen::kSame);
  EXPECT_EQ(sightings.see("t", "a", "mail", text), Seen::kChanged);
  EXPECT_EQ(sightings.see("t", "a", "mail", text), Seen::kChanged) << "until somebody pins it";
  EXPECT_EQ(sightings.see("t", "a", "mail", schema), Seen::kChanged);
  EXPECT_EQ(sightings.see("t", "a", "mail", one), Seen::kSame);
  EXPECT_EQ(sightings.see("t", "b", "mail", text), Seen::kFirst);
  EXPECT_EQ(sightings.see("u", "a", "mail", text), Seen::kFirst);
}

TEST(ToolSightings, AreBounded) {
  ToolSightings sightings;
  const ToolSight sight{.description = "d", .schema = "s"};
  for (std::size_t i = 0; i < ToolSightings::kTools; ++i)
    EXPECT_EQ(sightings.see("", "a", std::to_string(i), sight), Seen::kFirst);
  EXPECT_EQ(sightings.see("", "a", "more", sight), Seen::kTooMany);
  EXPECT_EQ(sightings.see("", "b", "more", sight), Seen::kFirst);
  for (std::size_t i = 0; i < ToolSightings::kAgents; ++i) {
    sightings.see("", "agent" + std::to_string(i), "t", sight);
    sightings.see("", "b", "more", sight);
  }
  EXPECT_EQ(sightings.forgotten(), 2U) << "a, and the first of the others";
  EXPECT_EQ(sightings.see("", "b", "more", sight), Seen::kSame);
}

}  // namespace
}  // namespace aispm::policy
