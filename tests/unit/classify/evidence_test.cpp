// SPDX-License-Identifier: Apache-2.0
#include "sensor/classify/evidence.hpp"

#include <gmock/gmock.h>

#include "sensor/classify/risk.hpp"

namespace aispm::sensor {
namespace {

using testing::HasSubstr;

EvidenceItem item(std::string type, double weight, bool weak = false) {
  EvidenceItem one;
  one.item = {std::move(type), "value", "rule", weight};
  one.weak = weak;
  return one;
}

// Golden vectors of the documented formula.
TEST(Evidence, AddsUpAcrossTypesOnly) {
  struct Case {
    std::vector<EvidenceItem> items;
    double value;
    bool is_enough;
  };
  const std::vector<Case> cases = {
      {{}, 0, false},
      {{item("process", 0.9)}, 0.9, true},
      {{item("process", 0.9), item("process", 0.9)}, 0.9, true},
      {{item("process", 0.9), item("port", 0.7)}, 0.97, true},
      {{item("port", 0.4)}, 0.4, false},
      {{item("port", 0.5)}, 0.5, true},
      {{item("environment", 0.4), item("installed", 0.3)}, 0.58, true},
      {{item("port", 0.3, true)}, 0.3, false},
      {{item("port", 0.9, true)}, 0.3, false},
      {{item("port", 0.3, true), item("port", 0.3, true)}, 0.3, false},
      {{item("port", 0.3, true), item("process", 0.3, true)}, 0.51, true},
      {{item("port", 0.3, true), item("http_answer", 0.8)}, 0.86, true},
      {{item("process", 0.95), item("port", 0.9), item("library", 0.9)}, 0.99, true},
      {{item("llm_call", 1.0), item("port", 0.3, true)}, 1.0, true},
  };
  for (const Case& c : cases) {
    const Confidence got = weigh(c.items);
    EXPECT_DOUBLE_EQ(got.value, c.value) << got.explanation;
    EXPECT_EQ(got.is_enough, c.is_enough) << got.explanation;
  }
}

TEST(Evidence, ExplainsTheConfidence) {
  const std::vector<EvidenceItem> two = {item("port", 0.7), item("process", 0.9)};
  EXPECT_EQ(weigh(two).explanation, "process value 0.90, port value 0.70: together 0.97");
  const std::vector<EvidenceItem> lone = {item("port", 0.3, true)};
  EXPECT_THAT(weigh(lone).explanation, HasSubstr("says too little alone"));
}

TEST(Risk, ScoresByBytesComplianceAndProviderSEN011) {
  struct Case {
    std::string provider;
    std::uint64_t bytes;
    int score;
    model::Severity level;
  };
  const Signatures signatures = Signatures::builtin().value();
  const std::vector<Case> cases = {
      {"deepseek", 200 << 10, 94, model::Severity::kCritical},
      {"azure.ai.openai", 1 << 10, 18, model::Severity::kLow},
      {"deepseek", 1 << 10, 58, model::Severity::kHigh},
      {"openai", 4 << 10, 42, model::Severity::kMedium},
      {"openai", 200 << 10, 66, model::Severity::kHigh},
      {"nobody-knows", 200 << 10, 82, model::Severity::kCritical},
      {"ollama", 1 << 10, 10, model::Severity::kLow},
  };
  for (const Case& c : cases) {
    const Risk risk = judge_risk(c.bytes, signatures.risk_of(c.provider));
    EXPECT_EQ(risk.score, c.score) << c.provider << " " << c.bytes;
    EXPECT_EQ(risk.level, c.level) << c.provider << " " << c.bytes;
  }
}

TEST(Risk, KnowsTheBordersOfSensitivity) {
  EXPECT_EQ(sensitivity_of(0), 0.1);
  EXPECT_EQ(sensitivity_of((4U << 10) - 1), 0.1);
  EXPECT_EQ(sensitivity_of(4U << 10), 0.4);
  EXPECT_EQ(sensitivity_of(32U << 10), 0.7);
  EXPECT_EQ(sensitivity_of(128U << 10), 1.0);
  EXPECT_EQ(judge_risk(1U << 20, {1, 0.25}).level, model::Severity::kCritical);  // exactly 70
  EXPECT_EQ(judge_risk(0, {0.25, 0.1}).level, model::Severity::kLow);
}

}  // namespace
}  // namespace aispm::sensor
