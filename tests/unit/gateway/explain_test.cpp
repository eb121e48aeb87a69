// SPDX-License-Identifier: Apache-2.0
// GW-029, GW-030: what a refusal tells programs and people.
#include "gateway/proxy/pipeline/explain.hpp"

#include <gmock/gmock.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <set>

#include "gateway/proxy/pipeline/guard.hpp"
#include "gateway/proxy/wire_error.hpp"
#include "sdk/core/detect/rule.hpp"

namespace aispm::gateway {
namespace {

namespace json = boost::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

model::Detection detection(const std::string& rule, const std::string& category,
                           const std::string& evidence = "words",
                           const std::string& surface = "prompt") {
  model::Detection made;
  made.rule_id = rule;
  made.category = category;
  made.evidence = evidence;
  made.surface = surface;
  return made;
}

// As a guard model's word becomes one.
model::Detection guard_said(std::size_t index) {
  GuardAnswer answer;
  answer.unsafe = true;
  answer.classes = {index};
  return describe_guard(answer, detect::Surface::kPrompt, 9, "guard").front();
}

TEST(Explanations, StandForEveryCategoryAndClass) {
  EXPECT_GE(all_explanations().size(), 25U);
  std::set<std::string_view> keys;
  for (const Explanation& one : all_explanations()) {
    EXPECT_TRUE(keys.insert(one.key).second) << one.key;
    for (const std::string_view text : {one.title, one.reason, one.risk, one.impact, one.details}) {
      EXPECT_FALSE(text.empty()) << one.key;
      EXPECT_EQ(text.find_first_of("\n\r"), std::string_view::npos) << one.key;
    }
  }
  for (const GuardClass& one : guard_classes()) EXPECT_EQ(explanation_of(one.code).key, one.code);
  for (std::size_t i = 0; i < detect::kCategoryCount; ++i) {
    const auto category = static_cast<detect::Category>(i);
    if (category == detect::Category::kCustom) continue;  // a tenant's own: nothing is known of it
    EXPECT_EQ(explanation_of(detect::name_of(category)).key, detect::name_of(category));
  }
  EXPECT_EQ(explanation_of("nobody knows").key, "policy_block");
}

// The taxonomy's own names: a class is explained as what it is.
TEST(Explanations, OfClassesSpeakOfThatClass) {
  for (const GuardClass& one : guard_classes()) {
    if (one.code == "S15") continue;
    EXPECT_EQ(explanation_of(one.code).title, one.name);
  }
  EXPECT_THAT(std::string(explanation_of("S2").reason), HasSubstr("non-violent crime"));
}

struct Why {
  std::string rule;
  std::vector<model::Detection> deciding;
  std::string reason;
  std::string title;
};

TEST(BlockFacts, SayWhyInOneOfFiveWords) {
  const std::vector<Why> all = {
      {"injection",
       {detection("prompt_injection.override", "prompt_injection")},
       "lexical_block",
       "Prompt injection"},
      {"harm", {guard_said(8)}, "llama_guard_unsafe_category", "Indiscriminate weapons"},
      {"harm", {guard_said(1)}, "llama_guard_unsafe_category", "Non-violent crimes"},
      {"aispm.guard_unavailable", {}, "guard_unavailable", "A judge did not answer"},
      {"aispm.unscannable", {}, "policy_unavailable", "Not judged"},
      {"model-access", {}, "policy_block", "Denied by policy"},
  };
  for (const Why& one : all) {
    const json::value body = json::parse(block_json(read_block(one.rule, one.deciding)));
    EXPECT_EQ(body.at("error").as_string(), "blocked_by_policy");
    EXPECT_EQ(body.at("reason").as_string(), one.reason) << one.rule;
    EXPECT_EQ(body.at("matched_rule").as_string(), one.rule);
    EXPECT_EQ(body.at("explanation").at("title").as_string(), one.title);
  }
}

TEST(BlockFacts, ShowAtMostTwoHundredCharactersOfWhatTheCallerSentAndOnOneLine) {
  std::string text = "first\nsecond\r\n\t";
  for (int i = 0; i < 300; ++i) text += "ü";
  const BlockFacts facts = read_block("r", std::vector{detection("x", "jailbreak", text)});
  EXPECT_THAT(facts.fragment, HasSubstr("first second"));
  EXPECT_EQ(facts.fragment.size(), 15U + 2 * (kMaxFragment - 15));
  EXPECT_THAT(block_json(facts), Not(HasSubstr("\\n")));
}

TEST(BlockFacts, ShowNothingOfAReplyOrOfAGuardsWords) {
  const BlockFacts facts = read_block(
      "r",
      std::vector{detection("secret.key", "secret", "the reply's words", "reply"), guard_said(8)});
  EXPECT_EQ(facts.fragment, "");
  EXPECT_THAT(facts.categories, ElementsAre("S9", "secret"));
}

TEST(BlockFacts, StandInEveryDialectsError) {
  auto facts = std::make_shared<BlockFacts>(read_block("harm", std::vector{guard_said(8)}));
  facts->session_id = "s";
  facts->correlation_id = "c";
  const Refusal refusal{.kind = RefusalKind::kPolicy,
                        .message = "AISPM: no",
                        .decision = "deny",
                        .case_id = "k",
                        .blocked = facts};
  const json::value openai = json::parse(error_body(Dialect::kOpenAi, refusal));
  const json::value anthropic = json::parse(error_body(Dialect::kAnthropic, refusal));
  const json::value ollama = json::parse(error_body(Dialect::kOllama, refusal));
  const json::value gemini = json::parse(error_body(Dialect::kGemini, refusal));
  for (const json::value& blocked :
       {openai.at("error").at("blocked"), anthropic.at("error").at("details").at("blocked"),
        ollama.at("blocked")}) {
    EXPECT_EQ(blocked.at("reason").as_string(), "llama_guard_unsafe_category");
    EXPECT_EQ(blocked.at("session_id").as_string(), "s");
    EXPECT_EQ(blocked.at("correlation_id").as_string(), "c");
  }
  EXPECT_EQ(openai.at("error").at("code").as_string(), "aispm_deny");
  const json::value& metadata = gemini.at("error").at("details").at(0).at("metadata");
  for (const auto& member : metadata.as_object()) EXPECT_TRUE(member.value().is_string());
  EXPECT_EQ(metadata.at("case_id").as_string(), "k");
  EXPECT_EQ(metadata.at("categories").as_string(), "S9");
}

}  // namespace
}  // namespace aispm::gateway
