// SPDX-License-Identifier: Apache-2.0
// APR-001, GRD-007: tool calls of streamed replies that policy bundles judge.
#include <gmock/gmock.h>

#include "gateway/proxy/decide/action_gate.hpp"
#include "gateway/proxy/pipeline/stream_relay.hpp"
#include "tests/unit/gateway/rules_fixture.hpp"
#include "tests/unit/gateway/stream_words.hpp"

namespace aispm::gateway {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct GatedRelay {
  ScanContext context = make_context();
  ActionGate gate;
  StreamRelay relay;
  std::string out;

  using OnCall = std::function<void(std::string_view tool, std::string_view arguments)>;
  GatedRelay(codec::Api api, const std::string& rules, OnCall on_call = {})
      : gate(context, policies(rules),
             {.agent_id = "bob/agent",
              .tenant = {},
              .session_id = {},
              .facts = {},
              .surface = "reply",
              .provider = {},
              .model = {}},
             {}),
        relay(context, {.api = api,
                        .framing = dialect_of(api) == Dialect::kOllama ? codec::Framing::kLines
                                                                       : codec::Framing::kSse,
                        .strip_usage = false,
                        .case_id = "case-1",
                        .model = "m",
                        .now = 1,
                        .gate = &gate,
                        .on_call = std::move(on_call)}) {}
  static PolicySet policies(const std::string& rules) {
    auto bundle = policy::Bundle::compile({{"actions.yaml", rules}});
    EXPECT_TRUE(bundle) << bundle.error().message;
    return {.enforced = PolicyView::make("test", *bundle, true), .monitored = {}};
  }
};

const std::string kOpenAiCall =
    openai(R"({"role":"assistant","content":""})") +
    openai(
        R"({"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"refund","arguments":""}}]})") +
    openai(R"({"tool_calls":[{"index":0,"function":{"arguments":"{\"amount\""}}]})") +
    openai(R"({"tool_calls":[{"index":0,"function":{"arguments":": 5000}"}}]})") +
    openai("{}", "\"tool_calls\"") + "data: [DONE]\n\n";
const std::string kAnthropicCall =
    kAnthropicStart +
    anthropic(
        "content_block_start",
        R"(,"index":0,"content_block":{"type":"tool_use","id":"t","name":"refund","input":{}})") +
    anthropic_delta(0, R"({"type":"input_json_delta","partial_json":"{\"amount\": 5000}"})") +
    kStop0 + kAnthropicEnd;

std::string responses(const std::string& type, int number, const std::string& members) {
  return codec::serialise_sse(type, R"({"type":")" + type + R"(","sequence_number":)" +
                                        std::to_string(number) + "," + members + "}");
}
std::string responses_item(const std::string& arguments) {
  return R"({"id":"fc","type":"function_call","call_id":"c","name":"refund","arguments":)" +
         codec::json_string(arguments) + "}";
}
const std::string kResponsesCall =
    responses("response.created", 0,
              R"("response":{"id":"r","status":"in_progress","output":[]})") +
    responses("response.output_item.added", 1, R"("output_index":0,"item":)" + responses_item("")) +
    responses("response.function_call_arguments.delta", 2,
              R"("output_index":0,"delta":"{\"amount\": 5000}")") +
    responses("response.function_call_arguments.done", 3,
              R"("output_index":0,"arguments":"{\"amount\": 5000}")") +
    responses("response.output_item.done", 4,
              R"("output_index":0,"item":)" + responses_item("{\"amount\": 5000}")) +
    responses("response.completed", 5,
              R"("response":{"id":"r","object":"response","status":"completed","output":[)" +
                  responses_item("{\"amount\": 5000}") + "]}");
const std::string kOllamaCall =
    R"({"model":"m","message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"refund","arguments":{"amount": 5000}}}]},"done":false})"
    "\n"
    R"({"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop"})"
    "\n";
const std::vector<std::pair<codec::Api, std::string>> kCalls = {
    {codec::Api::kOpenAiChat, kOpenAiCall},
    {codec::Api::kAnthropicMessages, kAnthropicCall},
    {codec::Api::kOpenAiResponses, kResponsesCall},
    {codec::Api::kOllamaChat, kOllamaCall}};

TEST(StreamRelay, NeverBeginsAToolCallThatPolicyDenies) {
  for (const auto& [dialect, stream] : kCalls) {
    GatedRelay gated(dialect, "rules: [{id: no-refunds, match: {tool: refund}, outcome: deny}]");
    EXPECT_EQ(gated.relay.feed(stream, gated.out), StreamRelay::State::kBlocked);
    EXPECT_THAT(gated.out, Not(HasSubstr("amount")));
    EXPECT_THAT(gated.out, HasSubstr("no-refunds"));
    EXPECT_TRUE(gated.relay.denied_action());
  }
}

TEST(StreamRelay, TellsOfToolCallsBeforeTheyLeaveAndOnce) {
  for (const auto& [dialect, stream] : kCalls) {
    std::vector<std::string> told;
    const GatedRelay* relay = nullptr;
    GatedRelay gated(dialect, "rules: [{id: all, match: {tool: refund}, outcome: allow}]",
                     [&](std::string_view tool, std::string_view arguments) {
                       EXPECT_THAT(relay->out, Not(HasSubstr("amount")));
                       told.push_back(std::string(tool) + std::string(arguments));
                     });
    relay = &gated;
    gated.relay.feed(stream, gated.out);
    EXPECT_THAT(gated.out, HasSubstr("amount"));
    ASSERT_EQ(told.size(), 1U);
    EXPECT_THAT(told.front(), ::testing::MatchesRegex(R"(refund\{"amount": ?5000\})"));
  }
}

TEST(StreamRelay, TellsOfNoToolCallThatNeverLeaves) {
  for (const auto& [dialect, stream] : kCalls) {
    GatedRelay gated(dialect, "rules: [{id: no-refunds, match: {tool: refund}, outcome: deny}]",
                     [](std::string_view, std::string_view) { FAIL() << "it never left"; });
    gated.relay.feed(stream, gated.out);
  }
}

// What an SDK would read and policy would not see: arguments that are no text, a second call in the
// place of one that has ended, more calls than are followed.
TEST(StreamRelay, StopsAtToolCallsThatCannotBeFollowed) {
  const std::string begins = R"(,"index":0,"content_block":{"type":"tool_use","id":"t","name":)";
  const std::string early =
      kAnthropicStart +
      anthropic("content_block_start", begins + R"("refund","input":{"amount":5000}})") + kStop0 +
      kAnthropicEnd;
  const std::string second =
      kAnthropicStart + anthropic("content_block_start", begins + R"("read","input":{}})") +
      kStop0 + anthropic("content_block_start", begins + R"("refund","input":{}})") + kStop0 +
      kAnthropicEnd;
  const std::string object =
      openai(R"({"role":"assistant","content":""})") +
      openai(
          R"({"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"refund","arguments":{"amount":5000}}}]})") +
      openai("{}", "\"tool_calls\"") + "data: [DONE]\n\n";
  for (const auto& [dialect, stream] : {std::pair(codec::Api::kAnthropicMessages, early),
                                        std::pair(codec::Api::kAnthropicMessages, second),
                                        std::pair(codec::Api::kOpenAiChat, object)}) {
    GatedRelay gated(dialect, "rules: [{id: all, match: {tool: '*'}, outcome: allow}]");
    EXPECT_EQ(gated.relay.feed(stream, gated.out), StreamRelay::State::kBlocked) << stream;
    EXPECT_THAT(gated.out, Not(HasSubstr("refund")));
    EXPECT_THAT(gated.out, Not(HasSubstr("5000")));
  }
}

TEST(StreamRelay, HoldsAToolCallUntilItIsSettled) {
  for (const auto& [dialect, stream] : kCalls) {
    for (const std::size_t step : {std::size_t{1}, std::size_t{7}, stream.size()}) {
      GatedRelay gated(dialect,
                       "rules: [{id: ask, match: {tool: refund}, outcome: require_approval}]");
      auto state = StreamRelay::State::kRunning;
      for (std::size_t at = 0; at < stream.size(); at += step) {
        state = gated.relay.feed(std::string_view(stream).substr(at, step), gated.out);
        if (state != StreamRelay::State::kWaiting) continue;
        EXPECT_THAT(gated.out, Not(HasSubstr("amount")));
        ASSERT_EQ(gated.relay.waiting(), 0U);
        state = gated.relay.settle(0, true, gated.out);
      }
      EXPECT_EQ(state, StreamRelay::State::kEnded);
      EXPECT_THAT(gated.out, HasSubstr("amount"));
      EXPECT_THAT(gated.out, HasSubstr("5000"));
    }
  }
}

TEST(StreamRelay, EndsTheStreamWhenAPersonSaysNo) {
  for (const auto& [dialect, stream] : kCalls) {
    GatedRelay gated(dialect, "rules: [{id: ask, match: {tool: refund}, outcome: require_human}]");
    EXPECT_EQ(gated.relay.feed(stream, gated.out), StreamRelay::State::kWaiting);
    EXPECT_EQ(gated.relay.settle(0, false, gated.out), StreamRelay::State::kBlocked);
    EXPECT_THAT(gated.out, Not(HasSubstr("amount")));
  }
}

TEST(StreamRelay, BrokenOffWhileItWaitsLetsNothingOut) {
  for (const auto& [dialect, stream] : kCalls) {
    GatedRelay gated(dialect, "rules: [{id: ask, match: {tool: refund}, outcome: require_human}]");
    EXPECT_EQ(gated.relay.feed(stream, gated.out), StreamRelay::State::kWaiting);
    EXPECT_EQ(gated.relay.finish(gated.out), StreamRelay::State::kWaiting);
    EXPECT_EQ(gated.relay.finish(gated.out, "an operator has stopped this"),
              StreamRelay::State::kBroken);
    EXPECT_THAT(gated.out, HasSubstr("an operator has stopped this"));
    EXPECT_EQ(gated.relay.settle(0, true, gated.out), StreamRelay::State::kBroken);
    EXPECT_THAT(gated.out, Not(HasSubstr("amount")));
  }
}

}  // namespace
}  // namespace aispm::gateway
