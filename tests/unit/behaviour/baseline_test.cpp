// SPDX-License-Identifier: Apache-2.0
#include "sensor/behaviour/baseline.hpp"

#include <gtest/gtest.h>

namespace aispm::sensor {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
WallTime at(std::int64_t seconds) { return {1'700'000'000 * kSecond + seconds * kSecond}; }

// SEN-026
TEST(Baselines, WhatIsNewAfterLearningIsNewsOnce) {
  Baselines baselines(std::chrono::seconds(100));
  EXPECT_FALSE(baselines.see("a", BaselineKind::kDestination, "10.0.0.1:443", at(0)));
  EXPECT_FALSE(baselines.see("a", BaselineKind::kDestination, "10.0.0.2:443", at(99)));
  EXPECT_FALSE(baselines.see("a", BaselineKind::kDestination, "10.0.0.1:443", at(200)));
  EXPECT_TRUE(baselines.see("a", BaselineKind::kDestination, "10.0.0.3:443", at(200)));
  EXPECT_FALSE(baselines.see("a", BaselineKind::kDestination, "10.0.0.3:443", at(201)));
}

TEST(Baselines, AgentsAndKindsAreApart) {
  Baselines baselines(std::chrono::seconds(0));
  EXPECT_TRUE(baselines.see("a", BaselineKind::kFile, "/x", at(0)));
  EXPECT_TRUE(baselines.see("b", BaselineKind::kFile, "/x", at(0)));
  EXPECT_TRUE(baselines.see("a", BaselineKind::kExecutable, "/x", at(0)));
}

TEST(Baselines, SurviveARestart) {
  Baselines before(std::chrono::seconds(100));
  before.see("ann/codex", BaselineKind::kFile, "/srv", at(0));
  EXPECT_TRUE(before.is_dirty());
  Baselines after(std::chrono::seconds(100));
  ASSERT_TRUE(after.restore(before.save()));
  EXPECT_FALSE(before.is_dirty());
  EXPECT_FALSE(after.see("ann/codex", BaselineKind::kFile, "/srv", at(500)));
  EXPECT_TRUE(after.see("ann/codex", BaselineKind::kFile, "/etc", at(500)));
}

TEST(Baselines, RefuseWhatIsNotTheirs) {
  for (const char* const text :
       {"", "[]", "{}", R"({"version":2,"agents":{}})", R"({"version":1,"agents":[]})",
        R"({"version":1,"agents":{"a":{}}})",
        R"({"version":1,"agents":{"a":{"since_unix_ns":1,"file":[1]}}})"}) {
    Baselines baselines(std::chrono::seconds(100));
    baselines.see("kept", BaselineKind::kFile, "/srv", at(0));
    EXPECT_FALSE(baselines.restore(text)) << text;
    EXPECT_EQ(baselines.agents(), 1U) << text;
  }
}

TEST(Baselines, CountWhatDoesNotFit) {
  Baselines baselines(std::chrono::seconds(0));
  EXPECT_FALSE(baselines.see("a", BaselineKind::kFile,
                             std::string(Baselines::kMaxItemBytes + 1, 'x'), at(0)));
  for (std::size_t i = 0; i <= Baselines::kMaxItems; ++i)
    baselines.see("a", BaselineKind::kFile, std::to_string(i), at(0));
  EXPECT_EQ(baselines.not_learned(), 2U);
}

}  // namespace
}  // namespace aispm::sensor
