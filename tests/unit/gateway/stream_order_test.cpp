// SPDX-License-Identifier: Apache-2.0
// GWY: what a scanner held back of a text comes before whatever the model said next.
#include <gmock/gmock.h>

#include "tests/unit/gateway/relayed.hpp"
#include "tests/unit/gateway/stream_words.hpp"

namespace aispm::gateway {
namespace {

using codec::Api;
using codec::json_string;
using ::testing::HasSubstr;
using ::testing::Not;
using State = StreamRelay::State;

// Held as long as a secret may follow.
const std::string kHeld = kSecret.substr(0, 10);
const std::string kRest = kSecret.substr(10);
const std::string kChatEnd = openai("{}", "\"stop\"") + "data: [DONE]\n\n";

std::string thought(const std::string& field, const std::string& text) {
  return openai("{" + json_string(field) + ":" + json_string(text) + "}");
}

// Both are there, in this order.
void expect_order(const std::string& out, const std::string& first, const std::string& second) {
  ASSERT_THAT(out, HasSubstr(first));
  ASSERT_THAT(out, HasSubstr(second));
  EXPECT_LT(out.find(first), out.find(second)) << out;
}

// LiteLLM leaves out of a block what comes behind its signature; the signature fails then.
TEST(StreamOrder, ThoughtsEndBeforeTheirSignature) {
  const std::string block =
      anthropic("content_block_start",
                R"(,"index":0,"content_block":{"type":"thinking","thinking":"","signature":""})");
  const std::string thoughts =
      anthropic_delta(0, R"({"type":"thinking_delta","thinking":"about "})") +
      anthropic_delta(0, R"({"type":"thinking_delta","thinking":)" + json_string(kHeld) + "}");
  const std::string signature =
      anthropic_delta(0, R"({"type":"signature_delta","signature":"c2lnbmVk"})");
  const auto result = relay(Api::kAnthropicMessages, kAnthropicStart + block + thoughts +
                                                         signature + kStop0 + kAnthropicEnd);
  EXPECT_EQ(result.state, State::kEnded);
  expect_order(result.out, kHeld, "c2lnbmVk");
}

TEST(StreamOrder, ThoughtsEndBeforeTheAnswer) {
  for (const char* field : {"reasoning_content", "reasoning"}) {
    const auto result =
        relay(Api::kOpenAiChat, thought(field, "it is ") + thought(field, kHeld) +
                                    openai_text("Paris. ") + openai_text("Really.") + kChatEnd);
    EXPECT_EQ(result.state, State::kEnded);
    expect_order(result.out, kHeld, "Paris");
  }
}

TEST(StreamOrder, ThoughtsOfOllamaEndBeforeTheAnswer) {
  const auto line = [](const std::string& member, const std::string& text, bool is_last) {
    return R"({"model":"m","message":{"role":"assistant",)" + json_string(member) + ":" +
           json_string(text) + R"(},"done":)" + (is_last ? "true}\n" : "false}\n");
  };
  const auto result =
      relay(Api::kOllamaChat, line("thinking", kHeld, false) + line("content", "Paris. ", false) +
                                  line("content", "", true));
  EXPECT_EQ(result.state, State::kEnded);
  expect_order(result.out, kHeld, "Paris");
}

TEST(StreamOrder, PartsOfGeminiKeepTheirOrder) {
  const auto piece = [](const std::string& part, const std::string& rest = "") {
    return codec::serialise_sse("", R"({"candidates":[{"content":{"parts":[)" + part +
                                        R"(],"role":"model"})" + rest + R"(,"index":0}]})");
  };
  const auto result =
      relay(Api::kGeminiGenerate,
            piece(R"({"thought":true,"text":)" + json_string(kHeld) + "}") +
                piece(R"({"text":"I call )" + kHeld + R"("})") +
                piece(R"({"functionCall":{"name":"f","args":{}}})", R"(,"finishReason":"STOP")"));
  EXPECT_EQ(result.state, State::kEnded);
  expect_order(result.out, kHeld, "I call");
  expect_order(result.out, "I call", "functionCall");
  EXPECT_LT(result.out.rfind(kHeld), result.out.find("functionCall")) << result.out;
}

TEST(StreamOrder, ATextEndsBeforeAToolCall) {
  const std::string call =
      openai(
          R"({"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":""}}]})") +
      openai(R"({"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]})");
  const auto result =
      relay(Api::kOpenAiChat, openai_text("I call ") + openai_text(kHeld) + call + kChatEnd);
  EXPECT_EQ(result.state, State::kEnded);
  EXPECT_EQ(result.arguments, "f{}");
  expect_order(result.out, kHeld, "tool_calls");
}

TEST(StreamOrder, NoSecretPassesBecauseThoughtsAreBrokenUp) {
  const auto result =
      relay(Api::kOpenAiChat, thought("reasoning_content", "it is " + kHeld) + openai_text("x ") +
                                  thought("reasoning_content", kRest + " ") + kChatEnd);
  EXPECT_EQ(result.state, State::kBlocked);
  EXPECT_THAT(result.out, Not(HasSubstr(kRest)));
}

}  // namespace
}  // namespace aispm::gateway
