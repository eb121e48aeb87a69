// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "gateway/proxy/pipeline/scan_reply.hpp"
#include "gateway/proxy/pipeline/text_judge.hpp"
#include "tests/unit/gateway/rules_fixture.hpp"

namespace aispm::gateway {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct Scanned {
  std::string body;
  Findings findings;
};

Scanned scan(codec::Api api, const std::string& body) {
  const ScanContext context = make_context();
  const auto request = codec::parse_request(api, body);
  EXPECT_TRUE(request) << request.error().message;
  auto result = scan_request(context, *request);
  EXPECT_TRUE(result) << result.error().message;
  const auto patched = codec::apply_patches(body, std::move(result->patches));
  EXPECT_TRUE(patched);
  return {*patched, std::move(result->findings)};
}

std::string messages(const std::string& list, const std::string& rest = "") {
  return R"({"model":"m","max_tokens":5,"messages":[)" + list + "]" + rest + "}";
}

struct Place {
  const char* name;
  codec::Api api;
  std::string body;  // with %s where the secret stands
};

class RequestPlaces : public ::testing::TestWithParam<Place> {};

TEST_P(RequestPlaces, AreAllScanned) {
  std::string body = GetParam().body;
  body.replace(body.find("%s"), 2, kSecret);
  const auto result = scan(GetParam().api, body);
  EXPECT_THAT(result.body, Not(HasSubstr(kSecret)));
  EXPECT_THAT(result.body, HasSubstr(kRedacted));
  EXPECT_EQ(result.findings.verdict.applied, model::Outcome::kRedact);
  EXPECT_EQ(result.findings.redactions, 1U);
}

constexpr auto kChat = codec::Api::kOpenAiChat;
constexpr auto kMessages = codec::Api::kAnthropicMessages;
INSTANTIATE_TEST_SUITE_P(
    Table, RequestPlaces,
    ::testing::Values(
        Place{"User", kChat, messages(R"({"role":"user","content":"a %s b"})")},
        Place{"System", kChat,
              messages(R"({"role":"system","content":"a %s b"},{"role":"user","content":"x"})")},
        Place{"AssistantHistory", kChat, messages(R"({"role":"assistant","content":"a %s b"})")},
        Place{"ToolResult", kChat,
              messages(R"({"role":"tool","tool_call_id":"t","content":"a %s b"})")},
        Place{"Parts", kChat,
              messages(R"({"role":"user","content":[{"type":"text","text":"a %s b"}]})")},
        Place{
            "ToolDescription", kChat,
            messages(
                R"({"role":"user","content":"x"})",
                R"(,"tools":[{"type":"function","function":{"name":"f","description":"a %s b"}}])")},
        Place{"Metadata", kChat,
              messages(R"({"role":"user","content":"x"})", R"(,"metadata":{"note":"a %s b"})")},
        Place{"AnthropicSystem", kMessages,
              messages(R"({"role":"user","content":"x"})", R"(,"system":"a %s b")")},
        Place{
            "AnthropicToolResult", kMessages,
            messages(
                R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"a %s b"}]})")},
        Place{
            "AnthropicToolInput", kMessages,
            messages(
                R"({"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{"k":"a %s b"}}]})")}),
    [](const auto& row) { return row.param.name; });

TEST(ScanRequest, LooksThroughJsonEscapes) {
  const auto result = scan(
      kChat, messages(R"({"role":"user","content":"a \u0041KIA)" + kSecret.substr(4) + R"( b"})"));
  EXPECT_THAT(result.body, HasSubstr(kRedacted));
}

TEST(ScanRequest, DeniesEscapesWithinToolArgumentsThatHideASecret) {
  const std::string arguments = R"({\"k\":\"\\u0041KIA)" + kSecret.substr(4) + R"(\"})";
  const auto result = scan(
      kChat,
      messages(
          R"({"role":"assistant","tool_calls":[{"id":"t","type":"function","function":{"name":"f","arguments":")" +
          arguments + R"("}}]})"));
  EXPECT_TRUE(result.findings.denied());
}

TEST(ScanRequest, DeniesByTheStrongestRule) {
  const auto result = scan(kChat, messages(R"({"role":"user","content":")" + kSecret +
                                           R"( -----BEGIN PRIVATE KEY-----"})"));
  EXPECT_TRUE(result.findings.denied());
  EXPECT_EQ(result.findings.verdict.rule_id, "no-private-keys");
}

TEST(ScanRequest, LeavesACleanBodyAlone) {
  const std::string body = messages(R"({"role":"user","content":"hello"})");
  const auto result = scan(kChat, body);
  EXPECT_EQ(result.body, body);
  EXPECT_EQ(result.findings.verdict.applied, model::Outcome::kAllow);
}

// Agents send their whole conversation with every step: what was clean is not looked at again.
TEST(ScanRequest, JudgesWhatIsNewBesideWhatIsKnown) {
  const ScanContext context = make_context();
  const std::string before = R"({"role":"user","content":"Where do the trains to Lyon leave?"})";
  const auto scanned = [&](const std::string& list) {
    const auto request = codec::parse_request(kChat, messages(list));
    EXPECT_TRUE(request);
    return scan_request(context, *request).value().findings;
  };
  EXPECT_EQ(scanned(before).redactions, 0U);
  EXPECT_EQ(scanned(before).redactions, 0U);
  const std::string secret = R"(,{"role":"user","content":"a )" + kSecret + R"( b"})";
  for (int i = 0; i < 2; ++i) EXPECT_EQ(scanned(before + secret).redactions, 1U) << i;
  EXPECT_EQ(
      scanned(before + R"(,{"role":"tool","tool_call_id":"t","content":"a )" + kSecret + R"( b"})")
          .redactions,
      1U);
}

TEST(TextJudge, KnowsATextOnlyWhereItWasJudged) {
  const ScanContext context = make_context();
  Findings findings;
  TextJudge judge(context, policy::Direction::kRequest, findings);
  const auto known = [&](std::string_view text, detect::Surface surface, bool classify) {
    return judge.find_known(text, {.surface = surface, .classify = classify}).is_known;
  };
  const auto& outcomes = context.tables->of_request(detect::Surface::kPrompt);
  const std::string clean = "Where do the trains to Lyon leave?";
  ASSERT_TRUE(judge.judge(clean, {.surface = detect::Surface::kPrompt, .outcomes = &outcomes}));
  EXPECT_TRUE(known(clean, detect::Surface::kPrompt, true));
  EXPECT_FALSE(known(clean + " ", detect::Surface::kPrompt, true));
  EXPECT_FALSE(known(clean, detect::Surface::kToolResult, true));
  EXPECT_FALSE(known(clean, detect::Surface::kPrompt, false));
  const std::string found = "a " + kSecret + " b";
  ASSERT_TRUE(judge.judge(found, {.surface = detect::Surface::kPrompt, .outcomes = &outcomes}));
  EXPECT_FALSE(known(found, detect::Surface::kPrompt, true));
}

// Models and clients put the parts of one message next to each other.
TEST(ScanRequest, DeniesASecretCutOverThePartsOfOneMessage) {
  const auto parts = [](const std::vector<std::string>& texts, const std::string& type) {
    std::string list;
    for (const std::string& text : texts)
      list += (list.empty() ? "" : ",") + (R"({)" + type + R"("text":")" + text + R"("})");
    return list;
  };
  const std::string typed = R"("type":"text",)";
  const std::vector<std::string> halves = {"key " + kSecret.substr(0, 9), kSecret.substr(9) + "."};
  const std::vector<std::string> far = {std::string(4000, 'x') + " " + kSecret.substr(0, 9),
                                        kSecret.substr(9) + " " + std::string(4000, 'x')};
  std::vector<std::string> letters;
  for (const char c : kSecret) letters.emplace_back(1, c);
  for (const auto& texts : {halves, far, letters}) {
    const std::string content = R"({"role":"user","content":[)" + parts(texts, typed) + "]}";
    EXPECT_TRUE(scan(kChat, messages(content)).findings.denied()) << texts.size();
    EXPECT_TRUE(scan(kMessages, messages(content)).findings.denied()) << texts.size();
    EXPECT_TRUE(scan(codec::Api::kGeminiGenerate,
                     R"({"contents":[{"role":"user","parts":[)" + parts(texts, "") + "]}]}")
                    .findings.denied())
        << texts.size();
  }
}

// The provider would refuse a signature that does not fit any more.
TEST(ScanRequest, DeniesSignedThinkingRatherThanEditIt) {
  const auto asked = [](const std::string& said) {
    return messages(
        R"({"role":"assistant","content":[{"type":"thinking","thinking":")" + said +
        R"(","signature":"c2lnbmF0dXJl"},{"type":"text","text":"x"}]},{"role":"user","content":"y"})");
  };
  EXPECT_TRUE(scan(kMessages, asked("a " + kSecret + " b")).findings.denied());
  EXPECT_EQ(scan(kMessages, asked("plain")).findings.verdict.applied, model::Outcome::kAllow);
}

// A label within base64 is none.
TEST(ScanRequest, DeniesAFileRatherThanBreakItsEncoding) {
  // base64 of "key AKIA... works\n", in two pieces for scanners of repositories
  const std::string data = std::string("a2V5IEFLSUFaN1FK") + "M1hOVkI1S0QyTTRUIHdvcmtzCg==";
  const std::string file =
      R"({"role":"user","content":[{"type":"document","source":{"type":"base64","media_type":"text/plain","data":")" +
      data + R"("}}]})";
  EXPECT_TRUE(scan(kMessages, messages(file)).findings.denied());
  const auto prose = scan(kChat, messages(R"({"role":"user","content":"see )" + data + R"("})"));
  EXPECT_EQ(prose.findings.verdict.applied, model::Outcome::kRedact);
}

TEST(ScanRequest, DoesNotJoinWhatNobodyReadsTogether) {
  const std::string before = kSecret.substr(0, 9);
  const std::string after = kSecret.substr(9);
  const auto two = messages(R"({"role":"user","content":")" + before +
                            R"("},{"role":"user","content":")" + after + R"("})");
  EXPECT_EQ(scan(kChat, two).findings.verdict.applied, model::Outcome::kAllow);
  // What was cut out of a part is no beginning of anything.
  const auto whole =
      scan(kChat, messages(R"({"role":"user","content":[{"type":"text","text":"a )" + kSecret +
                           R"("},{"type":"text","text":" and )" + kSecret + R"("}]})"));
  EXPECT_EQ(whole.findings.verdict.applied, model::Outcome::kRedact);
  EXPECT_EQ(whole.findings.redactions, 2U);
  const auto clean = scan(kChat, messages(R"({"role":"user","content":[{"type":"text","text":"a"},)"
                                          R"({"type":"text","text":"b"}]})"));
  EXPECT_EQ(clean.findings.verdict.applied, model::Outcome::kAllow);
}

TEST(ScanReply, DeniesASecretCutOverTwoBlocks) {
  const ScanContext context = make_context();
  const auto denied = [&](const std::string& one, const std::string& other) {
    const std::string body =
        R"({"id":"m","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":")" +
        one + R"("},{"type":"text","text":")" + other +
        R"("}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}})";
    const auto reply = codec::parse_reply(kMessages, body);
    EXPECT_TRUE(reply) << reply.error().message;
    const auto result = scan_reply(context, kMessages, *reply);
    EXPECT_TRUE(result);
    return result->findings.denied();
  };
  EXPECT_TRUE(denied("a " + kSecret.substr(0, 7), kSecret.substr(7) + " b"));
  EXPECT_FALSE(denied("a " + kSecret, "b"));
  EXPECT_FALSE(denied("a " + kSecret.substr(0, 7), " b"));
}

TEST(ScanReply, RedactsTextAndToolArguments) {
  const ScanContext context = make_context();
  const std::string body =
      R"({"id":"c","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"a )" +
      kSecret +
      R"( b","tool_calls":[{"id":"t","type":"function","function":{"name":"f","arguments":"{\"k\":\")" +
      kSecret + R"(\"}"}}]},"logprobs":{"content":[{"token":")" + kSecret +
      R"(","logprob":0}]},"finish_reason":"stop"}]})";
  const auto reply = codec::parse_reply(kChat, body);
  ASSERT_TRUE(reply) << reply.error().message;
  auto result = scan_reply(context, kChat, *reply);
  ASSERT_TRUE(result);
  const auto patched = codec::apply_patches(body, result->patches);
  ASSERT_TRUE(patched) << patched.error().message;
  EXPECT_THAT(*patched, Not(HasSubstr(kSecret)));
  EXPECT_THAT(*patched, HasSubstr("\"logprobs\":null"));
}

TEST(ScanReply, DeniesASecretInTheNameOfATool) {
  const ScanContext context = make_context();
  const auto scanned = [&](const std::string& name) {
    const auto reply = codec::parse_reply(
        kChat,
        R"({"id":"c","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"t","type":"function","function":{"name":")" +
            name + R"(","arguments":"{}"}}]},"finish_reason":"tool_calls"}]})");
    EXPECT_TRUE(reply) << reply.error().message;
    return scan_reply(context, kChat, *reply);
  };
  EXPECT_TRUE(scanned(kSecret).value().findings.denied());
  EXPECT_FALSE(scanned("get_weather").value().findings.denied());
  EXPECT_FALSE(scanned(std::string(codec::kMaxNameBytes + 1, 'f')));
}

TEST(ScanReply, MonitorsWithoutChangingWhenPolicyOnlyWatches) {
  std::string policy = kPolicy;
  policy.replace(policy.find("enforce"), 7, "monitor");
  const ScanContext context = make_context(policy);
  const std::string body =
      R"({"id":"c","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":")" +
      kSecret + R"("},"finish_reason":"stop"}]})";
  const auto reply = codec::parse_reply(kChat, body);
  ASSERT_TRUE(reply);
  const auto result = scan_reply(context, kChat, *reply);
  ASSERT_TRUE(result);
  EXPECT_TRUE(result->patches.empty());
  EXPECT_EQ(result->findings.verdict.decided, model::Outcome::kRedact);
  EXPECT_EQ(result->findings.verdict.applied, model::Outcome::kAllow);
}

// DET-044: what a rule finds is named, graded and placed the same before the model (the request)
// and after it (the reply), and its rule blocks only where policy enforces.
TEST(Scan, BlocksOnlyWhereEnforcedBeforeTheModelAndAfterIt) {
  const std::string key = "-----BEGIN PRIVATE KEY-----";
  const std::string asked = messages(R"({"role":"user","content":")" + key + R"("})");
  const std::string answered =
      R"({"id":"c","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":")" +
      key + R"("},"finish_reason":"stop"}]})";
  std::string monitoring = kPolicy;
  monitoring.replace(monitoring.find("enforce"), 7, "monitor");
  for (const std::string& policy : {std::string(kPolicy), monitoring}) {
    const ScanContext context = make_context(policy);
    const auto request = codec::parse_request(kChat, asked);
    const auto reply = codec::parse_reply(kChat, answered);
    ASSERT_TRUE(request && reply);
    const auto before = scan_request(context, *request);
    const auto after = scan_reply(context, kChat, *reply);
    ASSERT_TRUE(before && after);
    const bool enforces = policy == kPolicy;
    for (const Findings* const found : {&before->findings, &after->findings}) {
      EXPECT_EQ(found->denied(), enforces);
      EXPECT_EQ(found->verdict.decided, model::Outcome::kDeny);
      ASSERT_EQ(found->detections.size(), 1U);
      EXPECT_EQ(found->detections[0].rule_id, "secret.private_key");
      EXPECT_EQ(found->detections[0].category, "secret");
      EXPECT_NE(found->detections[0].severity, model::Severity::kUnspecified);
    }
    EXPECT_EQ(before->findings.detections[0].surface, "prompt");
    EXPECT_EQ(after->findings.detections[0].surface, "reply");
  }
}

}  // namespace
}  // namespace aispm::gateway
