// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/bundle_rules.hpp"

#include <gmock/gmock.h>

#include "sdk/core/detect/engine.hpp"
#include "sdk/core/detect/inspect.hpp"
#include "sdk/core/detect/pack.hpp"

namespace aispm::detect {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kShipped[] = R"(
pack: birds
category: social_engineering
rules:
  - {id: birds.heron, confidence: 0.8, patterns: ['heron'], message: m, hits: [heron], misses: [m]}
  - {id: birds.stork, confidence: 0.3, patterns: ['stork'], message: m, hits: [stork], misses: [m]}
)";
constexpr char kOwn[] = R"(
packs:
  - pack: own
    category: custom
    rules:
      - {id: custom.owl, label: owl, confidence: 0.9, patterns: ['owl'], message: m, hits: [owl], misses: [m]}
)";

RuleSet shipped() { return *parse_rules(kShipped, "birds.yaml"); }

std::string why(const Result<>& result) { return result ? "" : result.error().message; }

std::vector<std::string> found(const std::string& detect, Surface surface,
                               const std::string& text) {
  RuleSet rules = shipped();
  const auto added = add_bundle_rules(detect, "detect.yaml", rules);
  EXPECT_TRUE(added) << why(added);
  const auto engine = *Engine::compile(std::move(rules));
  Scratch scratch = *engine->make_scratch();
  std::vector<Match> matches;
  EXPECT_TRUE(engine->scan(text, surface, scratch, matches));
  CategorySums sums;
  drop_weak(*engine, surface, matches, sums);
  std::vector<std::string> ids;
  for (const Match& match : matches) ids.push_back(engine->rules()[match.rule].id);
  return ids;
}

TEST(BundleRules, AreAddedToThoseThatAreThere) {
  EXPECT_THAT(found(kOwn, Surface::kPrompt, "heron owl"), ElementsAre("birds.heron", "custom.owl"));
  RuleSet rules = shipped();
  const std::string before = rules.version;
  ASSERT_TRUE(add_bundle_rules(kOwn, "detect.yaml", rules));
  EXPECT_NE(rules.version, before);
}

TEST(BundleRules, SayFromWhenAMatchIsADetection) {
  EXPECT_THAT(found("thresholds: []", Surface::kPrompt, "heron"), ElementsAre("birds.heron"));
  const std::string strict = "thresholds: [{category: social_engineering, alone: 0.9}]";
  EXPECT_THAT(found(strict, Surface::kPrompt, "stork"), IsEmpty());
  // What does not stand alone any more still counts with others: 1 - 0.2 * 0.7.
  EXPECT_THAT(found(strict, Surface::kPrompt, "heron stork"),
              ElementsAre("birds.heron", "birds.stork"));
  const std::string less = "thresholds: [{rule: 'birds.st*', alone: 0.2}]";
  EXPECT_THAT(found(less, Surface::kPrompt, "stork"), ElementsAre("birds.stork"));
}

TEST(BundleRules, SayItBySurfaceAndTheLaterEntryCounts) {
  const std::string text =
      "thresholds:\n"
      "  - {category: social_engineering, alone: 1, together: 1}\n"
      "  - {rule: birds.heron, surfaces: [tool_result], alone: 0.7}\n";
  EXPECT_THAT(found(text, Surface::kPrompt, "heron stork"), IsEmpty());
  EXPECT_THAT(found(text, Surface::kToolResult, "heron stork"), ElementsAre("birds.heron"));
}

TEST(BundleRules, SayHowMuchWeakEvidenceIsEnough) {
  const std::string text =
      "thresholds: [{category: social_engineering, surfaces: [prompt], together: 0.25}]";
  EXPECT_THAT(found(text, Surface::kPrompt, "stork"), ElementsAre("birds.stork"));
  EXPECT_THAT(found(text, Surface::kToolResult, "stork"), IsEmpty());
}

TEST(BundleRules, ErrorsNameLineAndRule) {
  const auto error = [](const std::string& text) {
    return why(check_bundle_rules(text, "detect.yaml"));
  };
  EXPECT_EQ(error(kOwn), "");
  std::string wrong = kOwn;
  wrong.replace(wrong.find("hits: [owl]"), 11, "hits: [emu]");
  EXPECT_THAT(error(wrong), HasSubstr("detect.yaml:6: custom.owl: does not fire"));
  EXPECT_THAT(error("thresholds:\n  - {category: birds, alone: 1}"), HasSubstr("detect.yaml:2"));
  EXPECT_THAT(error("thresholds:\n  - {alone: 1}"), HasSubstr("detect.yaml:2"));
  EXPECT_THAT(error("thresholds:\n  - {rule: a, together: 1}"), HasSubstr("`category`"));
  EXPECT_THAT(error("threshold: []"), HasSubstr("unknown key"));
  wrong = kOwn;
  wrong.replace(wrong.find("'owl'"), 5, "'(owl'");
  EXPECT_THAT(error(wrong), HasSubstr("detect.yaml:6"));
  EXPECT_THAT(error(std::string(kMaxBundleRulesBytes + 1, '#')), HasSubstr("256 KiB"));
  std::string many = "thresholds:\n";
  for (std::size_t i = 0; i <= kMaxBundleThresholds; ++i) many += "  - {category: pii, alone: 1}\n";
  EXPECT_THAT(error(many), HasSubstr("more than 256"));
}

TEST(BundleRules, FitTheRulesThatAreThere) {
  RuleSet rules = shipped();
  EXPECT_THAT(
      why(add_bundle_rules("thresholds:\n  - {rule: 'bird.*', alone: 1}", "detect.yaml", rules)),
      HasSubstr("detect.yaml:2: rule: `bird.*`: there is no such rule"));
  rules = shipped();
  std::string twice = kOwn;
  twice.replace(twice.find("custom.owl"), 10, "birds.heron");
  EXPECT_THAT(why(add_bundle_rules(twice, "detect.yaml", rules)),
              HasSubstr("`birds.heron` stands twice"));
}

}  // namespace
}  // namespace aispm::detect
