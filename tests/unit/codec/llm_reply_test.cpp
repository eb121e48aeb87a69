// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "sdk/core/codec/llm.hpp"
#include "sdk/core/common/crypto.hpp"

namespace aispm::codec {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> list(const LlmReply& reply) {
  std::vector<std::string> texts;
  for (const ReplyText& part : reply.texts)
    texts.push_back(std::string(name_of(part.channel.kind)) + std::to_string(part.channel.choice) +
                    "." + std::to_string(part.channel.index) + ":" + std::string(part.text));
  return texts;
}

TEST(ParseReply, ReadsOpenAi) {
  const std::string body =
      R"({"id":"chatcmpl-1","object":"chat.completion","model":"gpt-4o-2024","choices":[
    {"index":0,"message":{"role":"assistant","content":"a\u00e9","refusal":null,"annotations":[{"type":"url_citation","url":"http://u"}]},
     "logprobs":{"content":[]},"finish_reason":"stop"},
    {"index":1,"message":{"role":"assistant","content":null,"reasoning_content":"hm","tool_calls":[
      {"id":"c1","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]},"logprobs":null,"finish_reason":"tool_calls"}],
    "usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13,
    "prompt_tokens_details":{"cached_tokens":6}}})";
  const auto reply = parse_reply(Api::kOpenAiChat, body);
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->id, "chatcmpl-1");
  EXPECT_EQ(reply->model, "gpt-4o-2024");
  EXPECT_EQ(reply->finish_reason, "stop");
  ASSERT_TRUE(reply->usage);
  EXPECT_EQ(reply->usage->input_tokens, 9U);
  EXPECT_EQ(reply->usage->cached_tokens, 6U);
  EXPECT_EQ(reply->usage->output_tokens, 4U);
  EXPECT_THAT(list(*reply), ElementsAre("text0.0:a\xc3\xa9", "other0.0:http://u", "reasoning1.0:hm",
                                        "tool_arguments1.0:{\"x\":1}"));
  ASSERT_EQ(reply->tool_calls.size(), 1U);
  EXPECT_EQ(reply->tool_calls[0].id, "c1");
  EXPECT_EQ(reply->tool_calls[0].name, "f");
  EXPECT_EQ(reply->tool_calls[0].arguments, "{\"x\":1}");
  ASSERT_EQ(reply->logprobs.size(), 1U);
  EXPECT_EQ(body.substr(reply->logprobs[0].begin, reply->logprobs[0].size()), R"({"content":[]})");
  EXPECT_EQ(reply_text(*reply), "a\xc3\xa9");
  EXPECT_EQ(reply_sha256(*reply), sha256_hex("a\xc3\xa9"));
  for (const ReplyText& part : reply->texts)
    EXPECT_EQ(
        json_unescape(std::string_view(body).substr(part.span.begin, part.span.size())).value(),
        part.text);
}

TEST(ParseReply, ReadsAnthropic) {
  const std::string body =
      R"({"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[
    {"type":"thinking","thinking":"hm","signature":"sig"},{"type":"text","text":"hello"},
    {"type":"tool_use","id":"t1","name":"run","input":{"cmd":"ls -l","deep":["a"]}}],
    "stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":3,"cache_read_input_tokens":10,"cache_creation_input_tokens":1,"output_tokens":7}})";
  const auto reply = parse_reply(Api::kAnthropicMessages, body);
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->finish_reason, "tool_use");
  EXPECT_EQ(reply->usage->input_tokens, 14U);
  EXPECT_EQ(reply->usage->cached_tokens, 10U);
  EXPECT_EQ(reply->usage->cache_written_tokens, 1U);
  EXPECT_EQ(reply->usage->output_tokens, 7U);
  EXPECT_THAT(list(*reply), ElementsAre("reasoning0.0:hm", "text0.1:hello",
                                        "tool_arguments0.2:ls -l", "tool_arguments0.2:a"));
  ASSERT_EQ(reply->tool_calls.size(), 1U);
  EXPECT_EQ(reply->tool_calls[0].arguments, R"({"cmd":"ls -l","deep":["a"]})");
}

TEST(ParseReply, RecognisesErrors) {
  const auto openai = parse_reply(
      Api::kOpenAiChat,
      R"({"error":{"message":"no key","type":"invalid_request_error","param":null,"code":"invalid_api_key"}})");
  ASSERT_TRUE(openai && openai->error);
  EXPECT_EQ(openai->error->code, "invalid_api_key");
  EXPECT_EQ(openai->error->message, "no key");
  const auto anthropic = parse_reply(
      Api::kAnthropicMessages,
      R"({"type":"error","error":{"type":"overloaded_error","message":"busy"},"request_id":"r"})");
  ASSERT_TRUE(anthropic && anthropic->error);
  EXPECT_EQ(anthropic->error->type, "overloaded_error");
  const auto text = parse_reply(Api::kOpenAiChat, R"({"error":"plain"})");
  ASSERT_TRUE(text && text->error);
  EXPECT_EQ(text->error->message, "plain");
}

TEST(ParseReply, ReportsTextInUnknownPlaces) {
  const auto reply = parse_reply(
      Api::kOpenAiChat,
      R"({"choices":[{"message":{"content":[{"type":"text","text":"block"}],"audio":{"transcript":"heard"}},"x":"y"}],"odd":"z"})");
  ASSERT_TRUE(reply);
  EXPECT_THAT(list(*reply),
              ElementsAre("text0.0:block", "other0.0:heard", "other0.0:y", "other0.0:z"));
}

TEST(ParseReply, CountsSoundAndTokensAmongWhatRepeatsTheText) {
  const std::string body =
      R"({"choices":[{"message":{"audio":{"id":"a","data":"UklG","transcript":"heard"}},"logprobs":{},"token_ids":[1]}]})";
  const auto reply = parse_reply(Api::kOpenAiChat, body);
  ASSERT_TRUE(reply);
  std::vector<std::string> repeated;
  for (const JsonSpan& span : reply->logprobs)
    repeated.push_back(body.substr(span.begin, span.size()));
  EXPECT_THAT(repeated, ElementsAre("\"UklG\"", "{}", "[1]"));
}

TEST(ParseReply, RefusesWhatIsNoReply) {
  EXPECT_FALSE(parse_reply(Api::kOpenAiChat, "{}"));
  EXPECT_FALSE(parse_reply(Api::kAnthropicMessages, R"({"choices":[]})"));
  EXPECT_FALSE(parse_reply(Api::kOpenAiChat, "<html>"));
  EXPECT_FALSE(parse_reply(Api::kOpenAiChat, R"({"choices":[],"choices":[]})"));
}

}  // namespace
}  // namespace aispm::codec
