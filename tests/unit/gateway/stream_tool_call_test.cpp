// SPDX-License-Identifier: Apache-2.0
// A tool call of a stream waits until it is whole, and is judged as one that comes whole.
#include <gmock/gmock.h>

#include "gateway/proxy/pipeline/stream_relay.hpp"
#include "tests/unit/gateway/relayed.hpp"
#include "tests/unit/gateway/stream_words.hpp"

namespace aispm::gateway {
namespace {

using codec::json_string;
using codec::serialise_sse;
using ::testing::HasSubstr;
using ::testing::Not;

std::string openai_call(const std::string& arguments, const std::string& start = "") {
  return openai(R"({"tool_calls":[{"index":0)" + start + R"(,"function":{)" +
                (start.empty() ? "" : R"("name":"f",)") + R"("arguments":)" +
                json_string(arguments) + "}}]}");
}
const std::string kCallStart = openai_call("", R"(,"id":"t1","type":"function")");
const std::string kCallEnd = openai("{}", "\"tool_calls\"") + "data: [DONE]\n\n";

std::string anthropic_call(const std::string& arguments) {
  return anthropic_delta(
      1, R"({"type":"input_json_delta","partial_json":)" + json_string(arguments) + "}");
}
const std::string kToolBlock =
    kAnthropicStart + kTextBlock + anthropic_text("calling. ") + kStop0 +
    anthropic("content_block_start",
              R"(,"index":1,"content_block":{"type":"tool_use","id":"t1","name":"f","input":{}})");
const std::string kToolEnd = anthropic("content_block_stop", R"(,"index":1)") + kAnthropicEnd;

TEST(StreamedToolCall, IsWithheldUntilItsArgumentsAreWhole) {
  const ScanContext context = make_context();
  StreamRelay under_test(context, {.api = codec::Api::kOpenAiChat,
                                   .strip_usage = false,
                                   .case_id = "c",
                                   .model = "m",
                                   .now = 1});
  std::string out;
  under_test.feed(kCallStart + openai_call("{\"a\":") + openai_call("1}"), out);
  EXPECT_EQ(out, "");
  under_test.feed(kCallEnd, out);
  EXPECT_EQ(out, kCallStart + openai_call("{\"a\":") + openai_call("1}") + kCallEnd);
}

TEST(StreamedToolCall, IsRedactedHoweverItsArgumentsAreCut) {
  const std::string arguments = R"({"key":")" + kSecret + R"("})";
  const std::string clean = std::string(R"(f{"key":")") + kRedacted + R"("})";
  for (std::size_t cut = 0; cut <= arguments.size(); ++cut) {
    const std::string first = arguments.substr(0, cut);
    const std::string second = arguments.substr(cut);
    ASSERT_EQ(relay(codec::Api::kOpenAiChat,
                    kCallStart + openai_call(first) + openai_call(second) + kCallEnd)
                  .arguments,
              clean)
        << cut;
    ASSERT_EQ(relay(codec::Api::kAnthropicMessages,
                    kToolBlock + anthropic_call(first) + anthropic_call(second) + kToolEnd)
                  .arguments,
              clean)
        << cut;
  }
}

TEST(StreamedToolCall, IsNeverBegunWhenItsArgumentsAreDenied) {
  const std::string key = R"({"k":"-----BEGIN RSA PRIVATE KEY-----"})";
  const auto chat = relay(codec::Api::kOpenAiChat, kCallStart + openai_call(key) + kCallEnd);
  EXPECT_EQ(chat.state, StreamRelay::State::kBlocked);
  EXPECT_EQ(chat.arguments, "");
  EXPECT_THAT(chat.out, Not(HasSubstr("tool_calls")));
  const auto messages =
      relay(codec::Api::kAnthropicMessages, kToolBlock + anthropic_call(key) + kToolEnd);
  EXPECT_EQ(messages.state, StreamRelay::State::kBlocked);
  EXPECT_THAT(messages.out, Not(HasSubstr("tool_use")));
  EXPECT_THAT(messages.text, HasSubstr("calling. "));
}

TEST(StreamedToolCall, IsNeverBegunWhenItsNameHoldsASecret) {
  const auto result =
      relay(codec::Api::kOpenAiChat,
            openai(R"({"tool_calls":[{"index":0,"id":"t","type":"function","function":{"name":")" +
                   kSecret + R"(","arguments":"{}"}}]})") +
                openai("{}", R"("tool_calls")") + "data: [DONE]\n\n");
  EXPECT_EQ(result.state, StreamRelay::State::kBlocked);
  EXPECT_THAT(result.out, Not(HasSubstr(kSecret)));
}

// OpenAI's SDK puts the pieces together, others take one of them: policy would judge another tool.
TEST(StreamedToolCall, IsRefusedWhenItsNameComesInPieces) {
  const auto call = [](const std::string& members) {
    return openai(R"({"tool_calls":[{"index":0,"function":{)" + members + "}}]}");
  };
  const std::string end = openai("{}", "\"tool_calls\"") + "data: [DONE]\n\n";
  const auto result =
      relay(codec::Api::kOpenAiChat, call(R"("name":"read","arguments":"")") +
                                         call(R"("name":"_and_delete","arguments":"{}")") + end);
  EXPECT_EQ(result.state, StreamRelay::State::kBlocked);
  EXPECT_THAT(result.out, Not(HasSubstr("_and_delete")));
  for (const char* const again :
       {R"("name":"","arguments":"{}")", R"("name":"read","arguments":"{}")",
        R"("name":null,"arguments":"{}")"})
    EXPECT_EQ(
        relay(codec::Api::kOpenAiChat, call(R"("name":"read","arguments":"")") + call(again) + end)
            .state,
        StreamRelay::State::kEnded)
        << again;
}

// Gemini's OpenAI-compatible endpoint, some versions of vLLM and some proxies send so.
std::string parallel_call(const std::string& index, const std::string& id,
                          const std::string& arguments, const std::string& name = "f") {
  return openai(R"({"tool_calls":[{)" + index + R"("id":")" + id + R"(","type":"function",)" +
                R"("function":{"name":")" + name + R"(","arguments":)" + json_string(arguments) +
                "}}]}");
}

TEST(StreamedToolCall, BeginsWithAnotherIdUnderTheSameIndex) {
  for (const std::string index : {R"("index":0,)", ""}) {
    const std::string stream =
        parallel_call(index, "a", R"({"x":1})") + parallel_call(index, "b", R"({"x":2})", "g") +
        parallel_call(index, "c", R"({"x")") +
        openai(R"({"tool_calls":[{)" + index + R"("function":{"arguments":":3}"}}]})") + kCallEnd;
    const auto result = relay(codec::Api::kOpenAiChat, stream);
    EXPECT_EQ(result.state, StreamRelay::State::kEnded);
    EXPECT_EQ(result.out, stream);
    EXPECT_EQ(result.arguments, R"(f{"x":1}g{"x":2}f{"x":3})");
  }
}

TEST(StreamedToolCall, IsJudgedByItselfUnderTheSameIndex) {
  const std::string index = R"("index":0,)";
  const auto redacted = relay(codec::Api::kOpenAiChat,
                              parallel_call(index, "a", R"({"x":1})") +
                                  parallel_call(index, "b", R"({"k":")" + kSecret + R"("})") +
                                  parallel_call(index, "c", R"({"x":3})") + kCallEnd);
  EXPECT_EQ(redacted.arguments, std::string(R"(f{"x":1}f{"k":")") + kRedacted + R"("}f{"x":3})");
  const auto denied =
      relay(codec::Api::kOpenAiChat,
            parallel_call(index, "a", R"({"x":1})") +
                parallel_call(index, "b", R"({"k":"-----BEGIN RSA PRIVATE KEY-----"})") + kCallEnd);
  EXPECT_EQ(denied.state, StreamRelay::State::kBlocked);
  EXPECT_THAT(denied.out, Not(HasSubstr("tool_calls")));
}

// Who goes by the index alone would give the first tool the second one's arguments.
TEST(StreamedToolCall, BeginsNoOtherBeforeItsArgumentsAreWhole) {
  const std::string index = R"("index":0,)";
  for (const char* const first : {"", R"({"x":)", "[1]", "1"}) {
    const auto result =
        relay(codec::Api::kOpenAiChat, parallel_call(index, "a", first) +
                                           parallel_call(index, "b", R"({"y":2})", "g") + kCallEnd);
    EXPECT_EQ(result.state, StreamRelay::State::kBlocked) << first;
    EXPECT_THAT(result.out, Not(HasSubstr("\"y\""))) << first;
  }
}

// Some versions of vLLM make up an id for every piece.
TEST(StreamedToolCall, GoesOnUnderAnotherIdWithoutAName) {
  const std::string stream =
      parallel_call(R"("index":0,)", "a", R"({"x":)") +
      openai(R"({"tool_calls":[{"index":0,"id":"b","function":{"arguments":"1}"}}]})") + kCallEnd;
  const auto result = relay(codec::Api::kOpenAiChat, stream);
  EXPECT_EQ(result.out, stream);
  EXPECT_EQ(result.arguments, R"(f{"x":1})");
}

TEST(StreamedToolCall, IsRefusedUnderAnIndexThatIsNoPlace) {
  EXPECT_EQ(
      relay(codec::Api::kOpenAiChat, parallel_call(R"("index":4294967296,)", "a", "{}") + kCallEnd)
          .state,
      StreamRelay::State::kBlocked);
}

TEST(StreamedToolCall, IsDeniedWhenEscapesHideASecret) {
  const std::string hidden = R"({"k":"\u0041KIA)" + kSecret.substr(4) + R"("})";
  EXPECT_EQ(relay(codec::Api::kOpenAiChat, kCallStart + openai_call(hidden) + kCallEnd).state,
            StreamRelay::State::kBlocked);
  EXPECT_EQ(
      relay(codec::Api::kAnthropicMessages, kToolBlock + anthropic_call(hidden) + kToolEnd).state,
      StreamRelay::State::kBlocked);
}

TEST(StreamedToolCall, LosesTheLogprobsOfChangedArguments) {
  const std::string head =
      R"({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":)";
  for (const std::string& value : {kSecret, std::string("Paris")}) {
    const std::string arguments = R"({"k":")" + value + R"("})";
    std::string stream =
        openai(R"({"tool_calls":[{"index":0,"id":"t1","function":{"name":"f","arguments":""}}]})");
    for (const char c : arguments) {
      const std::string token = json_string(std::string(1, c));
      stream += serialise_sse("", head + token + R"(}}]},"logprobs":{"content":[{"token":)" +
                                      token + R"(,"logprob":-1}]},"finish_reason":null}]})");
    }
    const auto result = relay(codec::Api::kOpenAiChat,
                              stream + openai("{}", "\"tool_calls\"") + "data: [DONE]\n\n");
    EXPECT_EQ(result.state, StreamRelay::State::kEnded);
    EXPECT_EQ(result.out.find("\"logprob\"") == std::string::npos, value == kSecret);
  }
}

}  // namespace
}  // namespace aispm::gateway
