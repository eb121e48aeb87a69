// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "sdk/core/codec/llm.hpp"
#include "sdk/core/common/crypto.hpp"

namespace aispm::codec {
namespace {

using Type = StreamEvent::Type;
using ::testing::ElementsAre;

struct Followed {
  std::vector<std::string> log;  // "type[ kind choice.index text]*"
  std::string error;
};

// Parses a whole stream that arrives in pieces of `step` bytes.
Followed follow(StreamReply& reply, std::string_view stream, std::size_t step = SIZE_MAX) {
  static constexpr const char* kTypes[] = {"nothing", "start", "delta", "stop", "repeat",
                                           "finish",  "usage", "end",   "error"};
  Followed followed;
  SseParser parser;
  while (!stream.empty()) {
    parser.feed(stream.substr(0, step));
    stream.remove_prefix(std::min(step, stream.size()));
    for (auto sse = parser.next(); sse && *sse; sse = parser.next()) {
      const auto event = reply.read(**sse);
      if (!event) {
        followed.error = event.error().message;
        return followed;
      }
      std::string line = kTypes[static_cast<int>((*event)->type)];
      for (const ReplyText& delta : (*event)->deltas) {
        EXPECT_EQ(json_unescape((*sse)->data.substr(delta.span.begin, delta.span.size())).value(),
                  delta.text);
        line += " " + std::string(name_of(delta.channel.kind)) +
                std::to_string(delta.channel.choice) + "." + std::to_string(delta.channel.index) +
                " " + std::string(delta.text);
      }
      followed.log.push_back(line);
    }
  }
  return followed;
}

constexpr std::string_view kChat =
    "data: "
    "{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"model\":\"gpt\",\"choices\":[{\"index\":"
    "0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}],\"usage\":null,"
    "\"obfuscation\":\"zzzzzzzz\"}\n\n"
    "data: "
    "{\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"He\\u006c\"},\"logprobs\":{"
    "\"content\":[]},\"finish_reason\":null}]}\n\n"
    ": keep-alive\n\n"
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":1,\"delta\":{\"content\":\"other\"}}]}\n\n"
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"lo\"}}]}\n\n"
    "data: "
    "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"t0\",\"type\":"
    "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}}]}\n\n"
    "data: "
    "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":1,\"id\":\"t1\",\"type\":"
    "\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]}}]}\n\n"
    "data: "
    "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{"
    "\"arguments\":\"{\\\"a\\\":1}\"}}]}}]}\n\n"
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n"
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":6}}\n\n"
    "data: [DONE]\n\n";

constexpr std::string_view kMessages =
    "event: message_start\ndata: "
    "{\"type\":\"message_start\",\"message\":{\"id\":\"m1\",\"model\":\"claude\",\"content\":[],"
    "\"usage\":{\"input_tokens\":8,\"output_tokens\":1}}}\n\n"
    "event: content_block_start\ndata: "
    "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":"
    "\"\"}}\n\n"
    "event: ping\ndata: {\"type\":\"ping\"}\n\n"
    "event: content_block_delta\ndata: "
    "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":"
    "\"Hi\"}}\n\n"
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
    "event: content_block_start\ndata: "
    "{\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"tool_use\",\"id\":"
    "\"t1\",\"name\":\"run\",\"input\":{}}}\n\n"
    "event: content_block_delta\ndata: "
    "{\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"input_json_delta\","
    "\"partial_json\":\"{\\\"c\\\":\"}}\n\n"
    "event: content_block_delta\ndata: "
    "{\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"input_json_delta\","
    "\"partial_json\":\"2}\"}}\n\n"
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":1}\n\n"
    "event: content_block_delta\ndata: "
    "{\"type\":\"content_block_delta\",\"index\":2,\"delta\":{\"type\":\"thinking_delta\","
    "\"thinking\":\"mm\"}}\n\n"
    "event: message_delta\ndata: "
    "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\",\"stop_sequence\":null},"
    "\"usage\":{\"output_tokens\":12}}\n\n"
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

TEST(StreamReply, FollowsOpenAiAtEverySplit) {
  for (const std::size_t step :
       {SIZE_MAX, std::size_t{1}, std::size_t{2}, std::size_t{7}, std::size_t{64}}) {
    StreamReply reply(Api::kOpenAiChat);
    const Followed followed = follow(reply, kChat, step);
    EXPECT_THAT(followed.log,
                ElementsAre("start", "delta text0.0 Hel", "nothing", "delta text1.0 other",
                            "delta text0.0 lo", "start", "delta tool_arguments0.1 {}",
                            "delta tool_arguments0.0 {\"a\":1}", "finish", "usage", "end"));
    EXPECT_EQ(reply.id(), "c1");
    EXPECT_EQ(reply.model(), "gpt");
    EXPECT_EQ(reply.finish_reason(), "tool_calls");
    ASSERT_TRUE(reply.usage());
    EXPECT_EQ(reply.usage()->input_tokens, 5U);
    EXPECT_EQ(reply.usage()->output_tokens, 6U);
    ASSERT_EQ(reply.tool_calls().size(), 2U);
    EXPECT_EQ(reply.tool_calls()[0].name, "f");
    EXPECT_EQ(reply.tool_calls()[0].arguments, "{\"a\":1}");
    EXPECT_EQ(reply.tool_calls()[1].id, "t1");
    EXPECT_EQ(reply.text(), "Hello\nother");
    EXPECT_EQ(reply.sha256(), sha256_hex("Hello\nother"));
    EXPECT_TRUE(reply.ended());
    EXPECT_FALSE(reply.is_cut());
  }
}

TEST(StreamReply, FollowsAnthropic) {
  StreamReply reply(Api::kAnthropicMessages);
  const Followed followed = follow(reply, kMessages);
  EXPECT_THAT(followed.log,
              ElementsAre("start", "start", "nothing", "delta text0.0 Hi", "stop", "start",
                          "delta tool_arguments0.1 {\"c\":", "delta tool_arguments0.1 2}", "stop",
                          "delta reasoning0.2 mm", "finish", "end"));
  EXPECT_EQ(reply.id(), "m1");
  EXPECT_EQ(reply.model(), "claude");
  EXPECT_EQ(reply.finish_reason(), "tool_use");
  EXPECT_EQ(reply.usage()->input_tokens, 8U);
  EXPECT_EQ(reply.usage()->output_tokens, 12U);
  ASSERT_EQ(reply.tool_calls().size(), 1U);
  EXPECT_EQ(reply.tool_calls()[0].arguments, "{\"c\":2}");
  EXPECT_EQ(reply.text(), "Hi");
  EXPECT_TRUE(reply.ended());
}

TEST(StreamReply, RecognisesErrorsOfBothDialects) {
  StreamReply openai(Api::kOpenAiChat);
  EXPECT_THAT(
      follow(openai,
             "data: {\"error\":{\"message\":\"m\",\"type\":\"server_error\",\"code\":500}}\n\n")
          .log,
      ElementsAre("error other0.0 m"));
  EXPECT_EQ(openai.error()->code, "500");
  StreamReply anthropic(Api::kAnthropicMessages);
  follow(anthropic,
         "event: error\ndata: "
         "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"m\"}}\n\n");
  ASSERT_TRUE(anthropic.error());
  EXPECT_EQ(anthropic.error()->type, "overloaded_error");
}

TEST(StreamReply, ReportsTextOfUnknownEventsAndFields) {
  StreamReply reply(Api::kAnthropicMessages);
  EXPECT_THAT(
      follow(reply, "event: novelty\ndata: {\"type\":\"novelty\",\"words\":\"seen\"}\n\n").log,
      ElementsAre("delta other0.0 seen"));
  StreamReply chat(Api::kOpenAiChat);
  EXPECT_THAT(follow(chat,
                     "data: "
                     "{\"choices\":[{\"index\":0,\"delta\":{\"audio\":{\"transcript\":\"heard\"},"
                     "\"reasoning_content\":\"r\"}}]}\n\n")
                  .log,
              ElementsAre("delta text0.1 heard reasoning0.0 r"));
}

// vLLM says `reasoning` and `reasoning_content`, OpenRouter `reasoning` and its details.
TEST(StreamReply, TextsThatGrowSideBySideHaveChannelsOfTheirOwn) {
  StreamReply reply(Api::kOpenAiChat);
  const auto followed =
      follow(reply,
             "data: "
             R"({"choices":[{"index":1,"delta":{"reasoning":"a","reasoning_content":"b",)"
             R"("reasoning_details":[{"type":"reasoning.text","text":"c","format":"f"},)"
             R"({"type":"reasoning.summary","summary":"d","index":4},"e"],"audio":"x"}}]})"
             "\n\n");
  EXPECT_EQ(followed.error, "");
  EXPECT_THAT(followed.log,
              ElementsAre("delta reasoning1.1 a reasoning1.0 b reasoning1.2 c other1.0 f "
                          "reasoning1.6 d other1.0 e other1.0 x"));
}

// Later counts are of the whole message; what was cached is not always said again.
TEST(StreamReply, KeepsWhatAnthropicSaidOfItsCache) {
  const auto used = [](const std::string& later) {
    StreamReply reply(Api::kAnthropicMessages);
    const auto followed =
        follow(reply,
               "event: message_start\ndata: "
               R"({"type":"message_start","message":{"id":"m","model":"c","content":[],"usage":{)"
               R"("input_tokens":10,"cache_read_input_tokens":40,"cache_creation_input_tokens":50,)"
               R"("output_tokens":1}}})"
               "\n\nevent: message_delta\ndata: "
               R"({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":)" +
                   later + "}\n\n");
    EXPECT_EQ(followed.error, "");
    return reply.usage().value_or(Usage{});
  };
  for (
      const char* const later :
      {R"({"output_tokens":7})", R"({"input_tokens":10,"output_tokens":7})",
       R"({"input_tokens":10,"cache_read_input_tokens":null,"output_tokens":7})",
       R"({"input_tokens":10,"cache_read_input_tokens":40,"cache_creation_input_tokens":50,"output_tokens":7})"}) {
    const Usage usage = used(later);
    EXPECT_EQ(usage.input_tokens, 100U) << later;
    EXPECT_EQ(usage.cached_tokens, 40U) << later;
    EXPECT_EQ(usage.cache_written_tokens, 50U) << later;
    EXPECT_EQ(usage.output_tokens, 7U) << later;
  }
}

// Gemini's OpenAI endpoint signs calls so.
TEST(StreamReply, WhatStandsBesideArgumentsIsNoPartOfThem) {
  StreamReply reply(Api::kOpenAiChat);
  const auto followed = follow(
      reply,
      "data: "
      R"({"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t0","type":"function",)"
      R"("function":{"name":"f","arguments":"{\"a\":1}"},)"
      R"("extra_content":{"google":{"thought_signature":"c2ln"}}}]}}]})"
      "\n\n");
  EXPECT_EQ(followed.error, "");
  ASSERT_EQ(followed.log.size(), 1U);
  EXPECT_THAT(followed.log[0], testing::HasSubstr(" tool_arguments0.0 {\"a\":1}"));
  EXPECT_THAT(followed.log[0], testing::HasSubstr(" other0.0 c2ln"));
  ASSERT_EQ(reply.tool_calls().size(), 1U);
  EXPECT_EQ(reply.tool_calls()[0].arguments, R"({"a":1})");
}

// vLLM (continuous_usage_stats) and some proxies count in every chunk, also in those with words.
TEST(StreamReply, TheLastUsageCounts) {
  StreamReply reply(Api::kOpenAiChat);
  const auto used = [](const char* members, int output) {
    return "data: {" + std::string(members) + R"("usage":{"prompt_tokens":9,"completion_tokens":)" +
           std::to_string(output) + "}}\n\n";
  };
  const auto followed =
      follow(reply, used(R"("choices":[{"index":0,"delta":{"content":"a"}}],)", 1) +
                        used(R"("choices":[{"index":0,"delta":{"content":"b"}}],)", 2) +
                        used(R"("choices":[{"index":0,"delta":{},"finish_reason":"stop"}],)", 3) +
                        used(R"("choices":null,)", 4) + used("", 5));
  EXPECT_THAT(followed.log,
              ElementsAre("delta text0.0 a", "delta text0.0 b", "finish", "usage", "usage"));
  EXPECT_EQ(reply.usage()->input_tokens, 9U);
  EXPECT_EQ(reply.usage()->output_tokens, 5U);
}

TEST(StreamReply, RefusesWhatItCannotRead) {
  const std::vector<std::pair<Api, std::string>> cases = {
      {Api::kOpenAiChat, "data: {\"choices\":[\n\n"},
      {Api::kOpenAiChat, "data: hello\n\n"},
      {Api::kOpenAiChat, "data: {\"choices\":[],\"choices\":[]}\n\n"},
      {Api::kAnthropicMessages, "data: [DONE]\n\n"},
      {Api::kAnthropicMessages,
       "event: ping\ndata: "
       "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":"
       "\"x\"}}\n\n"},
  };
  for (const auto& [api, stream] : cases) {
    StreamReply reply(api);
    EXPECT_NE(follow(reply, stream).error, "") << stream;
  }
}

TEST(StreamReply, KeepsAtMostItsLimit) {
  StreamReply reply(Api::kOpenAiChat);
  const std::string event = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" +
                            std::string(500'000, 'x') + "\"}}]}\n\n";
  for (int i = 0; i < 10; ++i) follow(reply, event);
  EXPECT_TRUE(reply.is_cut());
  EXPECT_LE(reply.text().size(), kMaxKeptReplyBytes);
}

TEST(StreamReply, BoundsChannelsAndCalls) {
  StreamReply reply(Api::kOpenAiChat);
  for (std::size_t i = 0; i < kMaxReplyChannels + 10; ++i)
    follow(reply, "data: {\"choices\":[{\"index\":" + std::to_string(i) +
                      ",\"delta\":{\"content\":\"x\",\"tool_calls\":[{\"index\":0,\"function\":{"
                      "\"name\":\"f\"}}]}}]}\n\n");
  EXPECT_EQ(reply.tool_calls().size(), kMaxReplyChannels);
  EXPECT_TRUE(reply.is_cut());
}

}  // namespace
}  // namespace aispm::codec
