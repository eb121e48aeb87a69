// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/risk.hpp"

#include <gmock/gmock.h>

#include "sdk/core/policy/trust.hpp"

namespace aispm::policy {
namespace {

using S = RiskSignal;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr double kExact = 1e-12;
const RiskModel kModel;

TEST(PromptRisk, TenCases) {  // RSK-001
  EXPECT_NEAR(prompt_risk(kModel, {}, 10), 0.05, kExact);
  EXPECT_NEAR(prompt_risk(kModel, {}, 2000), 0.05, kExact);
  EXPECT_NEAR(prompt_risk(kModel, {}, 2001), 0.10, kExact);
  EXPECT_NEAR(prompt_risk(kModel, {}, 5001), 0.15, kExact);
  EXPECT_NEAR(prompt_risk(kModel, {S::kSocialEngineering}, 10), 0.20, kExact);
  EXPECT_NEAR(prompt_risk(kModel, {S::kObfuscation}, 3000), 0.30, kExact);
  EXPECT_NEAR(prompt_risk(kModel, {S::kIndirectInjection, S::kSocialEngineering}, 10), 0.55,
              kExact);
  EXPECT_NEAR(prompt_risk(kModel, {S::kPromptInjection}, 10), 0.75, kExact);
  EXPECT_NEAR(prompt_risk(kModel, {S::kObfuscation, S::kSocialEngineering}, 10), 0.40, kExact)
      << "no combination";
  EXPECT_NEAR(prompt_risk(kModel, {S::kIndirectInjection, S::kToolAbuse}, 10), 1.0, kExact)
      << "1.10 * 1.25, capped";
}

TEST(PromptRisk, ACombinationCountsMoreThanItsParts) {
  RiskModel light;
  light.weights = {0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1};
  EXPECT_NEAR(prompt_risk(light, {S::kPromptInjection, S::kExfiltration}, 1), 0.25 * 1.25, kExact);
  EXPECT_NEAR(prompt_risk(light, {S::kPromptInjection, S::kToolAbuse}, 1), 0.25, kExact);
}

TEST(IdentityRisk, RightsAndRoles) {  // RSK-002
  using List = std::vector<std::string>;
  EXPECT_NEAR(identity_risk(List{}, List{}), 0.02, kExact);
  EXPECT_NEAR(identity_risk(List{"admin"}, List{"spm:admin"}), 0.02, kExact);
  EXPECT_NEAR(identity_risk(List{"admin"}, List{}), 0.17, kExact);
  EXPECT_NEAR(identity_risk(List{}, List{"gmail:send", "file:write"}), 0.16, kExact);
  EXPECT_NEAR(identity_risk(List{}, List{"db:read"}), 0.12, kExact);
  EXPECT_NEAR(identity_risk(List{"superuser", "admin"}, List{"db:read"}), 0.20, kExact);
}

TEST(GuardRisk, BlockAndFlag) {  // RSK-003
  EXPECT_EQ(guard_risk(GuardVerdict::kAllow, 1), 0);
  EXPECT_NEAR(guard_risk(GuardVerdict::kFlag, 0.5), 0.20, kExact);
  EXPECT_NEAR(guard_risk(GuardVerdict::kFlag, 0.9), 0.30, kExact);
  EXPECT_NEAR(guard_risk(GuardVerdict::kBlock, 0), 0.50, kExact);
}

TEST(RetrievalTrust, MeanLessPenaltiesWithCaps) {  // RSK-004
  using Chunks = std::vector<RetrievedChunk>;
  EXPECT_EQ(retrieval_trust(Chunks{}), 1);
  EXPECT_NEAR(retrieval_trust(Chunks{{0.8, 1, 0, false, true}, {0.6, 1, 0, false, true}}), 0.7,
              kExact);
  EXPECT_NEAR(retrieval_trust(Chunks{{1, 1, 0, true, true}}), 0.8, kExact);
  EXPECT_NEAR(retrieval_trust(Chunks(5, {1, 1, 0, true, true})), 0.4, kExact) << "capped at 0.60";
  EXPECT_NEAR(retrieval_trust(Chunks{{1, 0.29, 0.71, false, false}}), 0.7, kExact);
  EXPECT_NEAR(retrieval_trust(Chunks{{1, 0.30, 0.70, false, true}}), 1, kExact)
      << "borders do not count";
  EXPECT_EQ(retrieval_trust(Chunks(5, {0.3, 0, 1, true, false})), 0);
}

TEST(IntentDrift, FromTheSameToNothingInCommon) {  // RSK-005
  using List = std::vector<std::string>;
  EXPECT_NEAR(intent_drift("Summarise the sales report", List{"summarise sales REPORT, please"}), 0,
              kExact);
  EXPECT_NEAR(intent_drift("delete every user", List{"weather in Berlin"}), 1, kExact);
  EXPECT_NEAR(intent_drift("sales report", List{"weather", "sales numbers"}), 1 - 1.0 / 3, kExact);
  EXPECT_EQ(intent_drift("anything", List{}), 0);
}

TEST(BehaviourRisk, FourAndFiveEvents) {  // RSK-006
  EXPECT_EQ(behaviour_risk(4, 4), 0);
  EXPECT_NEAR(behaviour_risk(5, 5), 0.20, kExact);
  EXPECT_NEAR(behaviour_risk(0, 14), 0, kExact);
  EXPECT_NEAR(behaviour_risk(0, 15), 0.15, kExact);
  EXPECT_NEAR(behaviour_risk(5, 15), 0.35, kExact);
}

TEST(Fusion, GoldenVectors) {  // RSK-007
  EXPECT_NEAR(fuse({}), 0, kExact);
  EXPECT_NEAR(fuse({.prompt = 0.05, .identity = 0.02}), 0.07, kExact);
  EXPECT_NEAR(fuse({.prompt = 0.05, .identity = 0.02, .retrieval_trust = 0.5, .drift = 0.8}), 0.52,
              kExact);
  EXPECT_NEAR(
      fuse({.prompt = 0.2, .behaviour = 0.2, .identity = 0.17, .memory = 0.03, .guard = 0.1}), 0.70,
      kExact);
  EXPECT_NEAR(fuse({.prompt = 0.75, .guard = 0.5}), 1, kExact);
}

TEST(Thresholds, ChangeDecisions) {  // RSK-008
  EXPECT_EQ(action_of(kModel, 0.2999), RiskAction::kAllow);
  EXPECT_EQ(action_of(kModel, 0.30), RiskAction::kEscalate);
  EXPECT_EQ(action_of(kModel, 0.6999), RiskAction::kEscalate);
  EXPECT_EQ(action_of(kModel, 0.70), RiskAction::kBlock);
  const auto strict = RiskModel::parse(
      "thresholds: {allow_below: 0.1, block_at: 0.4}\nweights: {obfuscation: 0.5}\n", "r");
  ASSERT_TRUE(strict) << strict.error().message;
  EXPECT_EQ(action_of(*strict, 0.41), RiskAction::kBlock);
  EXPECT_NEAR(prompt_risk(*strict, {S::kObfuscation}, 1), 0.55, kExact);
  EXPECT_THAT(
      RiskModel::parse("thresholds: {allow_below: 0.9, block_at: 0.4}", "r").error().message,
      HasSubstr("r:1"));
  EXPECT_FALSE(RiskModel::parse("weight: {obfuscation: 0.5}", "r")) << "unknown keys fail";
}

TEST(Tiers, Borders) {  // RSK-009
  EXPECT_EQ(name_of(tier_of(0.2499)), "low");
  EXPECT_EQ(name_of(tier_of(0.25)), "medium");
  EXPECT_EQ(name_of(tier_of(0.4999)), "medium");
  EXPECT_EQ(name_of(tier_of(0.50)), "high");
  EXPECT_EQ(name_of(tier_of(0.75)), "critical");
}

TEST(Atlas, EightCombinations) {  // RSK-010
  EXPECT_THAT(atlas_techniques({S::kPromptInjection, S::kExfiltration}),
              ElementsAre("AML.T0051.000", "AML.T0048"));
  EXPECT_THAT(atlas_techniques({S::kJailbreak, S::kToolAbuse}), ElementsAre("AML.T0054"));
  EXPECT_THAT(atlas_techniques({S::kObfuscation, S::kPromptInjection}),
              ElementsAre("AML.T0051.001"));
  EXPECT_THAT(atlas_techniques({S::kIndirectInjection, S::kExfiltration}),
              ElementsAre("AML.T0051.002", "AML.T0048"));
  EXPECT_THAT(atlas_techniques({S::kExfiltration}), ElementsAre("AML.T0048"));
  EXPECT_THAT(atlas_techniques({S::kIndirectInjection}), ElementsAre("AML.T0051.002"));
  EXPECT_THAT(atlas_techniques({S::kPrivilegeEscalation}), ElementsAre("AML.T0068"));
  EXPECT_THAT(atlas_techniques({S::kPromptInjection, S::kToolAbuse}), ElementsAre("AML.T0051.003"));
  EXPECT_THAT(atlas_techniques({S::kSocialEngineering}), IsEmpty());
}

TEST(Trust, FiveCases) {  // POL-027
  EXPECT_EQ(evaluate_trust({.registered = TrustLevel::kVerified}).score, 50);
  const Trust unattested =
      evaluate_trust({.registered = TrustLevel::kVerified, .in_production = true});
  EXPECT_EQ(unattested.score, 40);
  EXPECT_EQ(unattested.level, TrustLevel::kBasic);
  EXPECT_EQ(evaluate_trust({.registered = TrustLevel::kPrivileged, .delegation_depth = 4}).score,
            50);
  EXPECT_EQ(evaluate_trust({.registered = TrustLevel::kPrivileged, .hour = 23, .denials_in_row = 4})
                .score,
            55);
  EXPECT_EQ(
      evaluate_trust(
          {.registered = TrustLevel::kBasic, .is_attested = true, .is_attestation_expired = true})
          .score,
      5);
  EXPECT_EQ(evaluate_trust({.registered = TrustLevel::kSystem}).level, TrustLevel::kSystem);
  EXPECT_EQ(parse_trust_level("privileged"), TrustLevel::kPrivileged);
  EXPECT_FALSE(parse_trust_level("root"));
}

}  // namespace
}  // namespace aispm::policy
