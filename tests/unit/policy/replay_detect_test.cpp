// SPDX-License-Identifier: Apache-2.0
// What a candidate's detect.yaml makes of recorded exchanges.
#include <gmock/gmock.h>

#include "sdk/core/detect/recorded_detections.hpp"
#include "sdk/core/policy/replay.hpp"

namespace aispm::policy {
namespace {

using ::testing::HasSubstr;

constexpr WallTime kNow{1'800'000'000'000'000'000};

std::shared_ptr<const Bundle> bundle_of(const std::vector<FolderFile>& files) {
  auto bundle = Bundle::compile(files);
  if (!bundle) ADD_FAILURE() << bundle.error().message;
  return bundle ? *bundle : nullptr;
}

class DetectReplayTest : public ::testing::Test {
 protected:
  // An exchange in which a match of that confidence was found and the reply or prompt denied.
  static v1::Event denied(double confidence, const std::string& surface = "prompt",
                          const std::string& text = "") {
    v1::Event call;
    call.set_id("call");
    call.set_agent_id("alice/bot");
    call.set_source(v1::SOURCE_GATEWAY);
    call.mutable_llm_call()->set_prompt_text(text);
    call.mutable_decision()->set_outcome(v1::Decision::OUTCOME_DENY);
    call.mutable_decision()->set_mode("enforce");
    call.mutable_decision()->set_rule_id("no-jailbreaks");
    auto* const detection = call.add_detections();
    detection->set_rule_id("jailbreak.override");
    detection->set_category("jailbreak");
    detection->set_confidence(confidence);
    detection->set_surface(surface);
    return call;
  }
  static v1::Simulation replay(const std::string& yaml, const v1::Event& call,
                               const std::string& texts = "") {
    const auto bundle = bundle_of({{"detect.yaml", yaml}});
    const auto judge = detect::judge_recorded_by(*bundle->detect());
    EXPECT_TRUE(judge) << judge.error().message;
    const auto policy = Policy::parse(texts, "texts.yaml");
    Replay replay(bundle, texts.empty() ? nullptr : *policy, {Glob("*"), kNow, *judge});
    replay.add(call);
    return replay.report();
  }
  static std::string why(const v1::Simulation& report) {
    return report.not_judged_size() == 1 ? report.not_judged(0).reason() : "";
  }
};

// POL-022: thresholds of a candidate, as far as records tell.
TEST_F(DetectReplayTest, JudgesRecordedDetectionsByThresholds) {
  const std::string stricter =
      "thresholds: [{category: jailbreak, surfaces: [prompt], alone: 0.9}]";
  const v1::Simulation lost = replay(stricter, denied(0.7));
  ASSERT_EQ(lost.looser(), 1U);
  EXPECT_EQ(lost.flips(0).rule_id(), "detect.yaml");
  EXPECT_EQ(lost.flips(0).kind(), "detection");
  EXPECT_EQ(lost.flips(0).tool(), "jailbreak.override");
  EXPECT_EQ(replay(stricter, denied(0.95)).unchanged(), 1U);
  EXPECT_EQ(replay(stricter, denied(0.7, "reply")).unchanged(), 1U);  // another surface
  EXPECT_EQ(replay(stricter, denied(0.8)).unchanged(), 1U);  // enough by itself for `together`
  // Something else was found as well, and nobody knows which of them decided.
  v1::Event two = denied(0.7);
  *two.add_detections() = two.detections(0);
  two.mutable_detections(1)->set_category("secret");
  EXPECT_THAT(why(replay(stricter, two)), HasSubstr("--texts"));
  // With the gateway's rules it is known.
  EXPECT_EQ(
      replay(stricter, denied(0.7), "rules: [{id: j, match: {category: jailbreak}, outcome: deny}]")
          .looser(),
      1U);
  v1::Event frozen = denied(0.7);
  frozen.mutable_decision()->set_rule_id("agent.frozen");
  EXPECT_EQ(replay(stricter, frozen).unchanged(), 1U);
}

TEST_F(DetectReplayTest, SaysWhatItCannotKnow) {
  EXPECT_THAT(why(replay("thresholds: [{rule: 'jailbreak.*', alone: 0.3}]", denied(0.7))),
              HasSubstr("were not recorded"));
  const std::string birds =
      "packs: [{pack: birds, category: custom, rules: [{id: custom.bird, label: bird, confidence: "
      "0.9, severity: high, patterns: [bluebird], message: m, hits: [bluebird], misses: [m]}]}]";
  EXPECT_THAT(why(replay(birds, denied(0.7))), HasSubstr("store_text"));
  EXPECT_THAT(why(replay(birds, denied(0.7, "prompt", "a bluebird"))), HasSubstr("custom.bird"));
  EXPECT_EQ(replay(birds, denied(0.7, "prompt", "a heron")).unchanged(), 1U);
  EXPECT_EQ(replay(birds, denied(0.7, "prompt", "a bluebird"),
                   "rules: [{id: b, match: {category: custom}, outcome: redact}]")
                .looser(),
            1U);
}

}  // namespace
}  // namespace aispm::policy
