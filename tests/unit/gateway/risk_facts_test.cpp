// SPDX-License-Identifier: Apache-2.0
// RSK-001, RSK-006: what detections and the past of a session say about risk.
#include "gateway/proxy/decide/risk_facts.hpp"

#include <gmock/gmock.h>

#include "sdk/core/detect/rule.hpp"

namespace aispm::gateway {
namespace {

model::Detection injection_in(std::string_view surface) {
  model::Detection detection;
  detection.rule_id = "injection.test";
  detection.category = "prompt_injection";
  detection.severity = model::Severity::kMedium;
  detection.surface = surface;
  return detection;
}

// The surfaces as detections really name them, all of them.
TEST(RiskFacts, InjectionsInOthersWordsAreIndirect) {
  using detect::Surface;
  for (std::size_t i = 0; i < detect::kSurfaceCount; ++i) {
    const auto surface = static_cast<Surface>(i);
    const bool is_indirect = surface == Surface::kToolResult ||
                             surface == Surface::kToolDescription ||
                             surface == Surface::kRetrievedDocument ||
                             surface == Surface::kEmailOrWeb || surface == Surface::kMemoryWrite;
    const RiskFacts facts = read_signals({injection_in(detect::name_of(surface))});
    EXPECT_TRUE(facts.has("prompt_injection"));
    EXPECT_EQ(facts.has("indirect_injection"), is_indirect) << detect::name_of(surface);
  }
  EXPECT_FALSE(read_signals({injection_in("policy")}).has("indirect_injection"));
}

// RSK-006
TEST(SessionRisks, CountsSignalsOfTheLastHour) {
  SessionRisks risks;
  const auto now = SessionRisks::Time() + std::chrono::hours(5);
  for (int i = 0; i < 5; ++i) risks.note("s", "x", true, now);
  EXPECT_EQ(risks.note("s", "x", false, now).in_two_minutes, 5U);
  EXPECT_EQ(risks.note("s", "x", false, now + std::chrono::minutes(10)).in_two_minutes, 0U);
  EXPECT_EQ(risks.note("s", "x", false, now + std::chrono::minutes(10)).in_an_hour, 5U);
  EXPECT_EQ(risks.note("s", "x", false, now + std::chrono::hours(2)).in_an_hour, 0U);
  for (std::size_t i = 0; i < SessionRisks::kMaxSessions + 5; ++i)
    risks.note(std::to_string(i), "x", false, now);
  EXPECT_EQ(risks.size(), SessionRisks::kMaxSessions);
  EXPECT_EQ(risks.forgotten(), 6U);  // "s" and the first five
}

TEST(SessionRisks, CanBeAskedWithoutANote) {
  SessionRisks risks;
  const SessionRisks::Time start{};
  EXPECT_EQ(risks.of("s", start).in_an_hour, 0U);
  EXPECT_EQ(risks.size(), 0U);
  risks.note("s", "one", true, start);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(risks.of("s", start).in_two_minutes, 1U);
  EXPECT_EQ(risks.of("s", start + std::chrono::seconds(121)).in_two_minutes, 0U);
  EXPECT_EQ(risks.of("s", start + std::chrono::seconds(3601)).in_an_hour, 0U);
}

}  // namespace
}  // namespace aispm::gateway
