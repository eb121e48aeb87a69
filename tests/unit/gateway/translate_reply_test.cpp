// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "gateway/proxy/translate/translation.hpp"

// GW-012: replies that came whole, their usage and their errors.
namespace aispm::gateway::translate {
namespace {

using codec::Api;
using testing::HasSubstr;
using testing::Not;

constexpr Api kChat = Api::kOpenAiChat;
constexpr Api kMessages = Api::kAnthropicMessages;
constexpr Api kOllama = Api::kOllamaChat;

std::string reply(Api client, Api provider, const std::string& body, int status = 200) {
  const Translation translation(client, {.api = provider, .model = "sent"},
                                {.id = "i", .model = "asked", .now = {1'700'000'000'000'000'000}});
  const auto told = translation.reply(status, body);
  return told ? *told : "refused: " + told.error().message;
}

const std::string kChatReply =
    R"({"id":"c1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":)"
    R"({"role":"assistant","content":"Hi.","reasoning_content":"Hm.","refusal":null,"annotations":[]},)"
    R"("logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":5,)"
    R"("total_tokens":12,"prompt_tokens_details":{"cached_tokens":3}}})";
const std::string kMessagesReply =
    R"({"id":"m1","type":"message","role":"assistant","model":"m","content":[{"type":"thinking",)"
    R"("thinking":"Hm.","signature":"s"},{"type":"text","text":"Hi."}],"stop_reason":"end_turn",)"
    R"("stop_sequence":null,"usage":{"input_tokens":4,"cache_read_input_tokens":2,)"
    R"("cache_creation_input_tokens":1,"output_tokens":5}})";
const std::string kOllamaReply =
    R"({"model":"m","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":"Hi.",)"
    R"("thinking":"Hm."},"done":true,"done_reason":"stop","prompt_eval_count":7,"eval_count":5})";

TEST(TranslatedReply, SaysTheSameInEveryProtocol) {
  EXPECT_EQ(reply(kMessages, kChat, kChatReply),
            R"({"id":"c1","type":"message","role":"assistant","model":"m","content":[)"
            R"({"type":"thinking","thinking":"Hm.","signature":""},{"type":"text","text":"Hi."}],)"
            R"("stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":4,)"
            R"("cache_creation_input_tokens":0,"cache_read_input_tokens":3,"output_tokens":5}})");
  EXPECT_EQ(
      reply(kOllama, kChat, kChatReply),
      R"({"model":"m","created_at":"2023-11-14T22:13:20.000000Z","message":{"role":"assistant",)"
      R"("content":"Hi.","thinking":"Hm."},"done":true,"done_reason":"stop","prompt_eval_count":7,"eval_count":5})");
  EXPECT_EQ(
      reply(kChat, kMessages, kMessagesReply),
      R"({"id":"m1","object":"chat.completion","created":1700000000,"model":"m","choices":[{"index":0,)"
      R"("message":{"role":"assistant","content":"Hi.","reasoning_content":"Hm."},"logprobs":null,)"
      R"("finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12,)"
      R"("prompt_tokens_details":{"cached_tokens":2}}})");
  EXPECT_EQ(reply(kMessages, kOllama, kOllamaReply),
            R"({"id":"msg_i","type":"message","role":"assistant","model":"m","content":[)"
            R"({"type":"thinking","thinking":"Hm.","signature":""},{"type":"text","text":"Hi."}],)"
            R"("stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":7,)"
            R"("cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":5}})");
}

TEST(TranslatedReply, IsAResponseForClientsOfResponses) {
  const std::string told = reply(Api::kOpenAiResponses, kMessages, kMessagesReply);
  EXPECT_EQ(
      told,
      R"({"id":"m1","object":"response","created_at":1700000000,"status":"completed","error":null,)"
      R"("incomplete_details":null,"instructions":null,"metadata":{},"model":"m","output":[)"
      R"({"type":"reasoning","id":"rs_i_0","summary":[{"type":"summary_text","text":"Hm."}]},)"
      R"({"type":"message","id":"msg_i_1","status":"completed","role":"assistant","content":[)"
      R"({"type":"output_text","text":"Hi.","annotations":[],"logprobs":[]}]}],"parallel_tool_calls":true,)"
      R"("temperature":null,"tool_choice":"auto","tools":[],"top_p":null,"usage":{"input_tokens":7,)"
      R"("input_tokens_details":{"cached_tokens":2},"output_tokens":5,"output_tokens_details":)"
      R"({"reasoning_tokens":0},"total_tokens":12}})");
  const std::string cut =
      R"({"model":"m","message":{"content":"a"},"done":true,"done_reason":"length"})";
  EXPECT_THAT(reply(Api::kOpenAiResponses, kOllama, cut),
              testing::AllOf(HasSubstr(R"("status":"incomplete")"),
                             HasSubstr(R"("reason":"max_output_tokens")")));
}

TEST(TranslatedReply, KeepsToolCallsWithTheirIds) {
  const std::string chat =
      R"({"id":"c1","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":null,)"
      R"("tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{\"a\": 1}"}}]},)"
      R"("finish_reason":"tool_calls"}]})";
  EXPECT_THAT(reply(kMessages, kChat, chat),
              HasSubstr(R"("content":[{"type":"tool_use","id":"t1","name":"f","input":{"a": 1}}],)"
                        R"("stop_reason":"tool_use")"));
  EXPECT_THAT(
      reply(kOllama, kChat, chat),
      HasSubstr(R"("tool_calls":[{"id":"t1","function":{"name":"f","arguments":{"a": 1}}}])"));
  // Some say "stop" all the same, and Ollama has no ids.
  const std::string ollama =
      R"({"model":"m","message":{"role":"assistant","content":"","tool_calls":[{"function":)"
      R"({"name":"f","arguments":{"a":1}}}]},"done":true,"done_reason":"stop"})";
  EXPECT_THAT(
      reply(kChat, kOllama, ollama),
      testing::AllOf(HasSubstr(R"("tool_calls":[{"id":"call_1","type":"function","function":)"
                               R"({"name":"f","arguments":"{\"a\":1}"}}])"),
                     HasSubstr(R"("finish_reason":"tool_calls")")));
}

TEST(TranslatedReply, KeepsWhyItEnded) {
  const auto chat = [](const std::string& reason) {
    return R"({"id":"c","model":"m","choices":[{"index":0,"message":{"content":"a"},"finish_reason":")" +
           reason + "\"}]}";
  };
  const auto messages = [](const std::string& reason) {
    return R"({"id":"c","model":"m","content":[{"type":"text","text":"a"}],"stop_sequence":"END","stop_reason":")" +
           reason + "\"}";
  };
  EXPECT_THAT(reply(kMessages, kChat, chat("length")), HasSubstr(R"("stop_reason":"max_tokens")"));
  EXPECT_THAT(reply(kMessages, kChat, chat("content_filter")),
              HasSubstr(R"("stop_reason":"refusal")"));
  EXPECT_THAT(reply(kOllama, kChat, chat("length")), HasSubstr(R"("done_reason":"length")"));
  EXPECT_THAT(reply(kChat, kMessages, messages("max_tokens")),
              HasSubstr(R"("finish_reason":"length")"));
  EXPECT_THAT(reply(kChat, kMessages, messages("refusal")),
              HasSubstr(R"("finish_reason":"content_filter")"));
  EXPECT_THAT(reply(kChat, kMessages, messages("stop_sequence")),
              HasSubstr(R"("finish_reason":"stop")"));
}

TEST(TranslatedReply, NeverCompletesACallThatWasCutForLength) {
  const std::string cut =
      R"({"id":"c","model":"m","choices":[{"index":0,"message":{"content":"a","tool_calls":[{"id":"t",)"
      R"("type":"function","function":{"name":"f","arguments":"{\"a\":"}}]},"finish_reason":"length"}]})";
  EXPECT_THAT(
      reply(kMessages, kChat, cut),
      testing::AllOf(Not(HasSubstr("tool_use")), HasSubstr(R"("stop_reason":"max_tokens")")));
}

TEST(TranslatedReply, NeverBeginsACallThatWasCutBeforeItsArguments) {
  const std::string cut =
      R"({"id":"c","model":"m","choices":[{"index":0,"message":{"content":"a","tool_calls":[{"id":"t",)"
      R"("type":"function","function":{"name":"f","arguments":""}}]},"finish_reason":"length"}]})";
  EXPECT_THAT(reply(kMessages, kChat, cut), Not(HasSubstr("tool_use")));
}

TEST(TranslatedReply, IsRefusedWhereItCannotBeTold) {
  const auto chat = [](const std::string& message, const std::string& reason = "stop") {
    return R"({"id":"c","model":"m","choices":[{"index":0,"message":)" + message +
           R"(,"finish_reason":")" + reason + "\"}]}";
  };
  const auto messages = [](const std::string& block) {
    return R"({"id":"c","model":"m","content":[)" + block + R"(],"stop_reason":"end_turn"})";
  };
  const std::vector<std::string> of_chat = {
      chat(R"({"content":"a"})", "unheard_of"),
      chat(R"({"content":["a"]})"),
      chat(R"({"content":"a","audio":{"data":"x"}})"),
      chat(R"({"content":"a","content":"b"})"),
      chat(R"({"tool_calls":[{"id":"t","function":{"name":"f","arguments":"{\"a\":"}}]})"),
      chat(R"({"tool_calls":[{"id":"t","custom":{"name":"f","input":"x"}}]})"),
      R"({"id":"c","model":"m","choices":[]})",
      R"({"id":"c","model":"m","choices":[{"message":{"content":"a"},"finish_reason":"stop"},)"
      R"({"message":{"content":"b"},"finish_reason":"stop"}]})",
      R"(["a"])",
      R"({"detail":"x"})",
  };
  for (const std::string& body : of_chat)
    EXPECT_THAT(reply(kMessages, kChat, body), HasSubstr("refused: ")) << body;
  const std::vector<std::string> of_messages = {
      messages(R"({"type":"server_tool_use","id":"a","name":"web_search","input":{}})"),
      messages(R"({"type":"text","text":"a","citations":[{"type":"char_location"}]})"),
      R"({"content":[{"type":"text","text":"a"}],"stop_reason":"pause_turn"})",
      R"({"id":"c"})",
  };
  for (const std::string& body : of_messages)
    EXPECT_THAT(reply(kChat, kMessages, body), HasSubstr("refused: ")) << body;
  EXPECT_THAT(reply(kChat, kOllama, R"({"message":{"content":"a"},"done":false})"),
              HasSubstr("refused: "));
}

TEST(TranslatedError, KeepsTypeCodeAndMessageInTheClientsForm) {
  const std::string openai =
      R"({"error":{"message":"slow down","type":"tokens","param":null,"code":"rate_limit_exceeded"}})";
  EXPECT_EQ(reply(kMessages, kChat, openai, 429),
            R"({"type":"error","error":{"type":"rate_limit_error","message":"slow down",)"
            R"("details":{"error_code":"rate_limit_exceeded"}}})");
  EXPECT_EQ(reply(kOllama, kChat, openai, 429), R"({"error":"slow down"})");
  EXPECT_EQ(reply(kChat, kMessages,
                  R"({"type":"error","error":{"type":"overloaded_error","message":"busy"}})", 529),
            R"({"error":{"message":"busy","type":"overloaded_error","param":null,"code":null}})");
  EXPECT_EQ(
      reply(kChat, kOllama, R"({"error":"model \"x\" not found"})", 404),
      R"({"error":{"message":"model \"x\" not found","type":"invalid_request_error","param":null,"code":null}})");
  EXPECT_EQ(reply(kMessages, kOllama, R"({"error":"no"})", 500),
            R"({"type":"error","error":{"type":"api_error","message":"no"}})");
  // What is no error of any protocol stays for the caller to judge.
  EXPECT_EQ(reply(kMessages, kChat, "<html>", 502), "<html>");
}

}  // namespace
}  // namespace aispm::gateway::translate
