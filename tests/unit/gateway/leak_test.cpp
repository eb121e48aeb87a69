// SPDX-License-Identifier: Apache-2.0
// GW-026 to GW-028: what a reply gives away of what its model was told.
#include <gmock/gmock.h>

#include "gateway/proxy/pipeline/leak_screen.hpp"
#include "gateway/proxy/pipeline/scan_reply.hpp"
#include "sdk/core/codec/json_edit.hpp"
#include "sdk/core/detect/engine.hpp"
#include "sdk/core/detect/pack.hpp"
#include "tests/unit/gateway/rules_fixture.hpp"

namespace aispm::gateway {
namespace {

using codec::json_string;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const std::string kPrompt =
    "You are the helper of Acme's payroll. Never speak of salaries to anybody but their owner.\n"
    "Files are in /srv/payroll/archive/of/the/current/year/with/a/long/path.txt and stay there.\n"
    "If somebody asks for the bonus of a colleague, say that only the human resources team knows "
    "it, and offer to write to them on behalf of the person who asked.";

class Leaks : public testing::Test {
 protected:
  void ask(const std::string& system, const std::string& tools = "[]") {
    body_ = R"({"model":"m","messages":[{"role":"system","content":)" + json_string(system) +
            R"(},{"role":"user","content":"q"}],"tools":)" + tools + "}";
    auto parsed = codec::parse_request(codec::Api::kOpenAiChat, body_);
    ASSERT_TRUE(parsed) << parsed.error().message;
    request_ = std::move(*parsed);
    source_ = {indexes_.of(request_, keys_), request_.tools_offered.empty() ? nullptr : &request_};
  }
  // The severities that were told, whatever the pieces.
  std::vector<model::Detection> read(const std::string& reply, std::size_t step = SIZE_MAX) {
    LeakScreen screen(source_);
    std::vector<model::Detection> found;
    for (std::size_t i = 0; i < reply.size(); i += std::min(step, reply.size()))
      screen.feed(std::string_view(reply).substr(i, step), found);
    return found;
  }
  bool denies(const std::string& reply, std::size_t step = SIZE_MAX) {
    for (const model::Detection& one : read(reply, step))
      if (one.severity == model::Severity::kHigh) return true;
    return false;
  }

  KnownTexts keys_;
  PromptIndexes indexes_;
  std::string body_;
  codec::LlmRequest request_;
  LeakSource source_;
};

TEST_F(Leaks, AnEchoOfThePromptIsFoundHoweverItIsCutAndDressedUp) {
  ask(kPrompt);
  const std::string echo = "Sure! My instructions: " + kPrompt;
  for (const std::size_t step : {1UL, 2UL, 7UL, 64UL, 100000UL})
    EXPECT_TRUE(denies(echo, step)) << step;
  std::string shouted = kPrompt;
  for (char& c : shouted) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    if (c == ' ') c = '\n';
  }
  EXPECT_TRUE(denies("> " + shouted));
}

TEST_F(Leaks, EveryWindowOfFortyCharactersIsSeen) {
  std::string prompt;
  for (int i = 0; i < 60; ++i) prompt += "word" + std::to_string(i * 7919 % 997) + " ";
  ask(prompt);
  for (std::size_t begin = 0; begin + 44 < prompt.size(); ++begin)
    ASSERT_THAT(read("xyzzy, " + prompt.substr(begin, 44) + "; xyzzy"), SizeIs(1)) << begin;
  for (std::size_t begin = 0; begin + 36 < prompt.size(); begin += 5)
    ASSERT_THAT(read("xyzzy, " + prompt.substr(begin, 36) + "; xyzzy"), IsEmpty()) << begin;
}

TEST_F(Leaks, AnEchoIsFoundUpToTheMarkThatEndsIt) {
  std::string prompt;
  for (int i = 0; i < 60; ++i) prompt += "word" + std::to_string(i * 7919 % 997) + " ";
  ask(prompt);
  for (std::size_t begin = 0; begin + 44 < prompt.size(); ++begin)
    for (const std::size_t step : {SIZE_MAX, 1UL, 5UL})
      ASSERT_THAT(read("xyzzy /" + prompt.substr(begin, 44) + "/ xyzzy", step), SizeIs(1)) << begin;
}

TEST_F(Leaks, OneSentenceIsToldAndMuchIsDenied) {
  ask(kPrompt);
  const auto found =
      read("As I was told: never speak of salaries to anybody but their owner. So ask them.");
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found.front().rule_id, kEchoRule);
  EXPECT_EQ(found.front().severity, model::Severity::kMedium);
  EXPECT_TRUE(denies(kPrompt.substr(kPrompt.find("Never speak"))));
}

TEST_F(Leaks, TheBoundsOfAnEchoAreSettings) {
  ask(kPrompt);
  const std::string sentence =
      "As I was told: never speak of salaries to anybody but their owner. So ask them.";
  source_.echo = {.tell = 40, .high = 40};
  EXPECT_TRUE(denies(sentence));
  source_.echo = {.tell = 100, .high = 160};
  EXPECT_THAT(read(sentence), IsEmpty());
  EXPECT_TRUE(denies(kPrompt));
}

TEST_F(Leaks, MostOfAShortPromptIsMuch) {
  ask("Answer as Captain Marrow of the good ship Kestrel would.");
  EXPECT_TRUE(denies("I was told: answer as Captain Marrow of the good ship Kestrel would."));
  ask("Be brief.");
  EXPECT_THAT(read("Be brief."), IsEmpty());  // what everybody says is no secret
}

TEST_F(Leaks, ARefusalMayQuoteItsReason) {
  ask(kPrompt);
  const std::string quote = "never speak of salaries to anybody but their owner";
  for (const std::string head :
       {"I can't help with that: I was told to ", "I'm sorry, but I must ",
        "I\xe2\x80\x99m unable to say more than that I must ", "Unfortunately I have to "})
    EXPECT_THAT(read(head + quote + "."), IsEmpty()) << head;
  // But it is no key to the rest.
  EXPECT_TRUE(denies("I can't share that, but it says: " + kPrompt));
  EXPECT_TRUE(denies("I'm sorry, here they are. " + std::string(500, 'a') + " " + kPrompt));
}

// Each piece says too little by itself.
TEST_F(Leaks, AnEchoOverTwoTextsIsOne) {
  ask(kPrompt);
  ScanContext context = make_context(R"(
defaults: {mode: enforce, store_text: false, fail: closed}
rules:
  - {id: leaks, match: {category: extraction, severity: high}, outcome: deny, reason: it stays here}
)");
  context.leaks = source_;
  const std::string said = kPrompt.substr(kPrompt.find("If somebody"));
  const std::string first = "It says: " + kPrompt.substr(0, 90);
  const auto denied = [&](const std::string& one, const std::string& other) {
    const std::string body =
        R"({"id":"m","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":)" +
        json_string(one) + R"(},{"type":"text","text":)" + json_string(other) +
        R"(}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}})";
    const auto reply = codec::parse_reply(codec::Api::kAnthropicMessages, body);
    EXPECT_TRUE(reply) << reply.error().message;
    return scan_reply(context, codec::Api::kAnthropicMessages, *reply).value().findings.denied();
  };
  EXPECT_TRUE(denied(first, said));
  EXPECT_FALSE(denied(first, "and more than that I do not know."));
}

TEST_F(Leaks, PathsCodeAndOrdinaryAnswersAreNoEcho) {
  ask(kPrompt);
  EXPECT_THAT(read("It is in /srv/payroll/archive/of/the/current/year/with/a/long/path.txt now."),
              IsEmpty());
  EXPECT_THAT(read("The capital of France is Paris. It lies on the Seine, and the weather there is "
                   "mild for most of the year, as in the rest of the country's north."),
              IsEmpty());
}

const std::string kTools =
    R"([{"type":"function","function":{"name":"transfer_money","description":"Moves money between two accounts of a client.","parameters":)"
    R"({"type":"object","properties":{"from":{"type":"string"},"to":{"type":"string"}},"required":["from","to"]}}},)"
    R"({"type":"function","function":{"name":"search","description":"Finds documents of the archive.","parameters":{"type":"object","properties":{}}}}])";

TEST_F(Leaks, TheDefinitionOfAnOfferedToolIsFoundHoweverItIsCut) {
  ask("Be brief.", kTools);
  const std::string pretty =
      "Here are my tools:\n```json\n{\n  \"name\": \"transfer_money\",\n  \"description\": \"Moves "
      "money between two accounts of a client.\",\n  \"parameters\": {\"type\": \"object\", "
      "\"properties\": {\"from\": {\"type\": \"string\"}}}\n}\n```";
  for (const std::size_t step : {1UL, 3UL, 50UL, 100000UL})
    EXPECT_TRUE(denies(pretty, step)) << step;
  EXPECT_TRUE(denies(kTools));
  EXPECT_TRUE(denies(R"([{"name":"search","input_schema":{"properties":{}}},)"
                     R"({"name":"transfer_money","input_schema":{"required":["from"]}}])"));
}

TEST_F(Leaks, OrdinaryJsonIsNoDefinition) {
  const std::vector<std::string> all = {
      R"({"name":"Ada","age":36})",
      R"({"parameters":{"temperature":0.7,"top_p":1},"name":"run 4","description":"baseline"})",
      R"({"name":"search","results":[{"title":"A","required":true}]})",
      R"({"openapi":"3.1.0","paths":{"/x":{"get":{"parameters":[{"name":"id","in":"path","required":true}]}}}})",
      R"({"type":"object","properties":{"name":{"type":"string"}},"required":["name"]})",
      R"({"AWSTemplateFormatVersion":"2010-09-09","Parameters":{"KeyName":{"Type":"String","Description":"key"}}})",
      R"({"jobs":[{"name":"build","parameters":{"branch":"main"},"description":"nightly"}]})",
      R"({"function":"f","parameters":{"type":"object","properties":{"a":{"type":"integer"}}},"description":"adds"})",
      R"({"model":"m","parameters":7000000000,"name":"small","required":["gpu"]})",
      R"({"error":{"code":400,"message":"bad","details":{"parameters":["from"],"description":"x"}}})",
      R"([{"name":"transfer","amount":5,"parameters":{"from":"a","to":"b"}}])",
      R"({"name":"get_weather","description":"Gets the weather.","parameters":{"type":"object","properties":{"city":{"type":"string"}}}})",
      R"({"query":"search","parameters":{"q":"transfer_money"},"properties":{}})",
      R"({"steps":[{"name":"transfer","description":"first"},{"name":"log","description":"second"}]})",
      R"({"swagger":"2.0","parameters":{"limit":{"name":"limit","in":"query","type":"integer","required":false}}})",
      R"({"device":{"name":"probe","parameters":{"gain":3},"properties":{"serial":"7"}}})",
      R"({"report":{"description":"Finds documents","required":[],"parameters":{}}})",
      R"({"terraform":{"required_providers":{}},"parameters":{"name":"vpc"},"description":"net"})",
      R"({"sql":"select name from t","parameters":[1,2],"description":"two rows","properties":null})",
      R"({"workflow":{"name":"Search","parameters":{"type":"object","properties":{"q":{}}}}})",
  };
  ASSERT_THAT(all, SizeIs(20));
  ask("Be brief.", kTools);
  for (const std::string& one : all) {
    EXPECT_THAT(read(one), IsEmpty()) << one;
    EXPECT_THAT(read("Here it is:\n```json\n" + one + "\n```", 5), IsEmpty()) << one;
  }
}

TEST_F(Leaks, ADefinitionOfAToolOfThatNameThatIsAnotherIsToldOnly) {
  ask("Be brief.", kTools);
  const auto found =
      read(R"({"name":"search","parameters":{"properties":{"term":{"type":"string"}}}})");
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found.front().rule_id, kSchemaRule);
  EXPECT_EQ(found.front().severity, model::Severity::kMedium);
}

TEST_F(Leaks, AnIndexIsMadeOnceForAPrompt) {
  ask(kPrompt);
  const auto first = source_.prompt;
  ask(kPrompt);
  EXPECT_EQ(source_.prompt, first);
  ask(kPrompt + " And be kind.");
  EXPECT_NE(source_.prompt, first);
}

// All texts of one border and three blocks in which a letter is raised and lowered in the order of
// Thue and Morse: polynomials modulo a power of two do not tell their lower bits apart, whatever
// their base.
TEST_F(Leaks, TextsThatAreMadeToCollideDoNot) {
  constexpr std::string_view kMorse = "+--+-++-";
  std::string prompt;
  for (int code = 0; code < 7 * 7 * 7; ++code) {
    prompt += '/';
    for (int block = code, i = 0; i < 3; ++i, block /= 7)
      for (const char sign : kMorse)
        prompt += static_cast<char>('m' + (sign == '+' ? 4 : -4) * (block % 7 - 3));
  }
  ask(prompt);
  ASSERT_NE(source_.prompt, nullptr);
  EXPECT_LT(source_.prompt->longest_probe(), 40U);  // all 343 where the hash wraps at 64 bits
}

TEST_F(Leaks, APromptThatIsTooLongToBeComparedSaysSo) {
  std::string prompt;
  while (prompt.size() < PromptIndex::kMaxProse - 64)
    prompt += "word" + std::to_string(prompt.size()) + " ";
  ask(prompt);
  EXPECT_FALSE(source_.prompt->is_cut());
  ask(prompt + std::string(64, 'x') + " and the password is swordfish, for everybody who asks");
  EXPECT_TRUE(source_.prompt->is_cut());
}

TEST(Sentinels, AreARuleThatHoldsInReplies) {
  LeakConfig config;
  EXPECT_EQ(sentinel_pack(config), "");
  config.sentinels = {"canary-7f3a.(b)+c-2291-acme", "Zebra \"quoted\" canary 4411"};
  auto rules = detect::parse_rules(sentinel_pack(config), "detect.leaks");
  ASSERT_TRUE(rules) << rules.error().message;
  auto engine = detect::Engine::compile(std::move(*rules));
  ASSERT_TRUE(engine) << engine.error().message;
  ASSERT_TRUE((*engine)->verify());
  auto scratch = (*engine)->make_scratch();
  ASSERT_TRUE(scratch);
  std::vector<detect::Match> matches;
  ASSERT_TRUE((*engine)->scan("so: CANARY-7f3a.(b)+c-2291-acme.", detect::Surface::kReply, *scratch,
                              matches));
  EXPECT_THAT(matches, SizeIs(1));
  EXPECT_EQ((*engine)->rules()[matches.front().rule].id, kSentinelRule);
  matches.clear();
  ASSERT_TRUE(
      (*engine)->scan("canary-7f3aX(b)+c-2291-acme", detect::Surface::kReply, *scratch, matches));
  EXPECT_THAT(matches, IsEmpty());
}

}  // namespace
}  // namespace aispm::gateway
