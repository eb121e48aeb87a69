// SPDX-License-Identifier: Apache-2.0
// Replies of every dialect besides chat and messages.
#include <gmock/gmock.h>

#include "sdk/core/codec/llm.hpp"

namespace aispm::codec {
namespace {

using ::testing::ElementsAre;

struct ReplyCase {
  Api api;
  std::string body;
  std::string model;
  std::string finish;
  std::uint64_t input = 0;
  std::uint64_t output = 0;
  std::string text = {};
  std::vector<std::string> calls = {};  // "name arguments"
};

void check_reply(const ReplyCase& one) {
  SCOPED_TRACE(std::string(name_of(one.api)) + " " + one.body);
  const auto reply = parse_reply(one.api, one.body);
  ASSERT_TRUE(reply.has_value()) << reply.error().message;
  EXPECT_FALSE(reply->error.has_value());
  EXPECT_EQ(reply->model, one.model);
  EXPECT_EQ(reply->finish_reason, one.finish);
  EXPECT_EQ(reply->usage.value_or(Usage{}).input_tokens, one.input);
  EXPECT_EQ(reply->usage.value_or(Usage{}).output_tokens, one.output);
  EXPECT_EQ(reply_text(*reply), one.text);
  std::vector<std::string> calls;
  for (const ToolCall& call : reply->tool_calls) calls.push_back(call.name + " " + call.arguments);
  EXPECT_EQ(calls, one.calls);
  for (const ReplyText& text : reply->texts)
    EXPECT_EQ(json_unescape(one.body.substr(text.span.begin, text.span.size())).value(), text.text);
}

TEST(GeminiReplies, AreReadInBothSpellingsAndWhereverTextMayStand) {
  const auto reply = parse_reply(
      Api::kGeminiGenerate,
      R"({"candidates":[{"content":{"parts":[{"function_call":{"name":"f","args":{"a":1}}},"bare"],"note":"beside"},"finish_reason":"STOP","index":2,"logprobsResult":{"chosenCandidates":[{"token":"again"}]}}],"response":{"candidates":[{"content":{"parts":[{"text":"inner"}]}}]}})");
  ASSERT_TRUE(reply.has_value()) << reply.error().message;
  ASSERT_EQ(reply->tool_calls.size(), 1U);
  EXPECT_EQ(reply->tool_calls[0].arguments, R"({"a":1})");
  EXPECT_THAT(reply->finished, ElementsAre(2U));
  EXPECT_EQ(reply->logprobs.size(), 1U);
  EXPECT_FALSE(reply->has_odd_call);
  std::vector<std::string> texts;
  for (const ReplyText& text : reply->texts) texts.emplace_back(text.text);
  EXPECT_THAT(texts, ElementsAre("bare", "beside", "inner"));
}

TEST(GeminiReplies, SayThatACallCannotBeFollowed) {
  for (const char* call :
       {R"({"name":"f","partialArgs":[]})", R"({"name":"f","willContinue":true})", "\"f\""}) {
    const auto reply = parse_reply(
        Api::kGeminiGenerate,
        R"({"candidates":[{"content":{"parts":[{"functionCall":)" + std::string(call) + "}]}}]}");
    ASSERT_TRUE(reply.has_value()) << call;
    EXPECT_TRUE(reply->has_odd_call) << call;
  }
}

TEST(OtherReplies, AreTakenApart) {
  check_reply(
      {Api::kOpenAiResponses,
       R"({"id":"resp_1","object":"response","status":"completed","model":"gpt-5","instructions":"echo","error":null,"output":[{"type":"reasoning","summary":[{"type":"summary_text","text":"hm"}]},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"Hel"},{"type":"output_text","text":"lo"}]},{"type":"function_call","call_id":"c1","name":"f","arguments":"{\"a\":1}"},{"type":"web_search_call","id":"w","status":"completed"}],"usage":{"input_tokens":11,"output_tokens":5}})",
       "gpt-5",
       "completed",
       11,
       5,
       "Hel\nlo",
       {"f {\"a\":1}", "web_search "}});
  check_reply(
      {Api::kOpenAiResponses,
       R"({"id":"r","object":"response","status":"incomplete","model":"m","incomplete_details":{"reason":"max_output_tokens"},"output":[]})",
       "m", "max_output_tokens"});
  check_reply(
      {Api::kOpenAiCompletions,
       R"({"id":"c","model":"m","choices":[{"text":"one","index":0,"finish_reason":"length","logprobs":null},{"text":"two","index":1}],"usage":{"prompt_tokens":2,"completion_tokens":4}})",
       "m", "length", 2, 4, "one\ntwo"});
  check_reply(
      {Api::kOpenAiEmbeddings,
       R"({"object":"list","data":[{"embedding":[0.1,-2e-3],"index":0}],"model":"e","usage":{"prompt_tokens":3,"total_tokens":3}})",
       "e", "", 3, 0});
  check_reply({Api::kOpenAiModerations, R"({"id":"x","model":"omni","results":[{"flagged":true}]})",
               "omni", ""});
  check_reply({Api::kAnthropicCountTokens, R"({"input_tokens":42})", "", "", 42, 0});
  check_reply(
      {Api::kGeminiGenerate,
       R"({"candidates":[{"content":{"role":"model","parts":[{"text":"think","thought":true},{"text":"Hel"},{"text":"lo"},{"functionCall":{"id":"1","name":"f","args":{"a":1}}}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":3,"thoughtsTokenCount":2,"totalTokenCount":12},"modelVersion":"gemini-3","responseId":"r"})",
       "gemini-3",
       "STOP",
       7,
       5,
       "Hello",
       {"f {\"a\":1}"}});
  check_reply(
      {Api::kGeminiGenerate,
       R"({"response":{"candidates":[{"content":{"parts":[{"text":"hi"}]},"finishReason":"STOP"}],"modelVersion":"g"},"traceId":"t"})",
       "g", "STOP", 0, 0, "hi"});
  check_reply(
      {Api::kGeminiGenerate,
       R"({"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":7}})", "",
       "SAFETY", 7, 0});
  // With `$alt=json;enum-encoding=int`.
  check_reply({Api::kGeminiGenerate,
               R"({"candidates":[{"content":{"parts":[{"text":"hi"}]},"finishReason":1}]})", "",
               "1", 0, 0, "hi"});
  check_reply({Api::kGeminiGenerate, R"({"promptFeedback":{"blockReason":2}})", "", "2", 0, 0});
  check_reply({Api::kGeminiCountTokens, R"({"totalTokens":9})", "", "", 9, 0});
  check_reply(
      {Api::kBedrockConverse,
       R"({"output":{"message":{"role":"assistant","content":[{"text":"hi"},{"toolUse":{"toolUseId":"t","name":"f","input":{"a":1}}},{"reasoningContent":{"reasoningText":{"text":"hm","signature":"s"}}}]}},"stopReason":"tool_use","usage":{"inputTokens":5,"outputTokens":6,"totalTokens":11,"cacheReadInputTokens":2},"metrics":{"latencyMs":1}})",
       "",
       "tool_use",
       7,
       6,
       "hi",
       {"f {\"a\":1}"}});
  check_reply(
      {Api::kBedrockInvoke,
       R"({"id":"msg","type":"message","model":"claude","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","usage":{"input_tokens":4,"output_tokens":2}})",
       "claude", "end_turn", 4, 2, "hi"});
  check_reply(
      {Api::kBedrockInvoke,
       R"({"inputTextTokenCount":5,"results":[{"tokenCount":3,"outputText":"hi","completionReason":"FINISH"}]})",
       "", "FINISH", 0, 0, "hi"});
  check_reply(
      {Api::kBedrockInvoke,
       R"({"generation":"hi","prompt_token_count":5,"generation_token_count":3,"stop_reason":"stop"})",
       "", "stop", 5, 3, "hi"});
  check_reply({Api::kBedrockInvoke, R"({"outputs":[{"text":"hi","stop_reason":"stop"}]})", "",
               "stop", 0, 0, "hi"});
  check_reply(
      {Api::kOllamaChat,
       R"({"model":"llama3","created_at":"now","message":{"role":"assistant","content":"hi","thinking":"hm","tool_calls":[{"function":{"name":"f","arguments":{"a":1}}}]},"done":true,"done_reason":"stop","prompt_eval_count":8,"eval_count":2})",
       "llama3",
       "stop",
       8,
       2,
       "hi",
       {"f {\"a\":1}"}});
  check_reply(
      {Api::kOllamaGenerate,
       R"({"model":"llama3","response":"hi","done":true,"done_reason":"length","context":[1,2],"prompt_eval_count":8,"eval_count":2})",
       "llama3", "length", 8, 2, "hi"});
  check_reply({Api::kOllamaEmbed, R"({"model":"e","embeddings":[[0.1]],"prompt_eval_count":3})",
               "e", "", 3, 0});
  check_reply(
      {Api::kLlamaCppCompletion,
       R"({"content":"hi","model":"q.gguf","stop":true,"stop_type":"eos","prompt":"echo","tokens_evaluated":5,"tokens_predicted":2})",
       "q.gguf", "eos", 5, 2, "hi"});
}

TEST(OtherReplies, ListModels) {
  EXPECT_THAT(parse_reply(Api::kOpenAiModels, R"({"object":"list","data":[{"id":"a"},{"id":"b"}]})")
                  ->models,
              ElementsAre("a", "b"));
  EXPECT_THAT(
      parse_reply(Api::kOllamaTags, R"({"models":[{"name":"llama3:8b","size":1}]})")->models,
      ElementsAre("llama3:8b"));
}

TEST(OtherReplies, RecogniseErrors) {
  const struct {
    Api api;
    const char* body;
    const char* type;
    const char* code;
    const char* message;
  } cases[] = {
      {Api::kOpenAiResponses,
       R"({"error":{"type":"invalid_request_error","code":"x","message":"m"}})",
       "invalid_request_error", "x", "m"},
      {Api::kOpenAiResponses,
       R"({"id":"r","object":"response","status":"failed","output":[],"error":{"code":"server_error","message":"m"}})",
       "", "server_error", "m"},
      {Api::kGeminiGenerate, R"({"error":{"code":404,"message":"m","status":"NOT_FOUND"}})",
       "NOT_FOUND", "404", "m"},
      {Api::kBedrockConverse, R"({"message":"m"})", "", "", "m"},
      {Api::kBedrockInvoke, R"({"__type":"ThrottlingException","message":"m"})",
       "ThrottlingException", "", "m"},
      {Api::kBedrockInvoke, R"({"Message":"m"})", "", "", "m"},
      {Api::kOllamaChat, R"({"error":"m"})", "", "", "m"},
      {Api::kOpenAiChat, R"({"object":"error","message":"m","type":"NotFoundError","code":404})",
       "NotFoundError", "404", "m"},
  };
  for (const auto& one : cases) {
    const auto reply = parse_reply(one.api, one.body);
    ASSERT_TRUE(reply.has_value()) << one.body;
    ASSERT_TRUE(reply->error.has_value()) << one.body;
    EXPECT_EQ(reply->error->type, one.type) << one.body;
    EXPECT_EQ(reply->error->code, one.code) << one.body;
    EXPECT_EQ(reply->error->message, one.message) << one.body;
  }
}

}  // namespace
}  // namespace aispm::codec
