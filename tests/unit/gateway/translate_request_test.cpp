// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "gateway/proxy/translate/translate_config.hpp"
#include "gateway/proxy/translate/translation.hpp"

// GW-012: requests of every protocol in the words of every other.
namespace aispm::gateway::translate {
namespace {

using codec::Api;

constexpr Api kChat = Api::kOpenAiChat;
constexpr Api kMessages = Api::kAnthropicMessages;
constexpr Api kOllama = Api::kOllamaChat;

Translation between(Api client, Api provider, bool is_openai_itself = false) {
  return Translation(
      client,
      {.api = provider, .model = "sent", .max_tokens = 4096, .is_openai_itself = is_openai_itself},
      {.id = "i", .model = "asked", .now = {}});
}

struct Case {
  std::string name;
  Api client;
  Api provider;
  std::string body;
  std::string expected;
};

class TranslatedRequest : public testing::TestWithParam<Case> {};

TEST_P(TranslatedRequest, SaysTheSame) {
  const Case& one = GetParam();
  const auto told = between(one.client, one.provider).request(one.body);
  ASSERT_TRUE(told) << told.error().message;
  EXPECT_EQ(*told, one.expected);
}

// A turn with everything that all three have: system, text, a tool, its call and its result.
const std::string kToolSchema = R"({"type":"object","properties":{"text":{"type":"string"}}})";
const std::string kChatTurn =
    R"({"model":"asked","messages":[{"role":"system","content":"Be brief."},)"
    R"({"role":"user","content":"Say \u0022hi\u0022"},)"
    R"({"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function",)"
    R"("function":{"name":"send","arguments":"{\"text\":\"hi\"}"}}]},)"
    R"({"role":"tool","tool_call_id":"c1","content":"sent"},)"
    R"({"role":"user","content":"Thanks."}],"max_tokens":9,"temperature":0.5,"stop":"END",)"
    R"("tools":[{"type":"function","function":{"name":"send","description":"Sends.","parameters":)" +
    kToolSchema + R"(}}],"tool_choice":"auto","stream":true})";
const std::string kMessagesTurn =
    R"({"model":"asked","system":"Be brief.","messages":[{"role":"user","content":"Say \"hi\""},)"
    R"({"role":"assistant","content":[{"type":"tool_use","id":"c1","name":"send","input":{"text":"hi"}}]},)"
    R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":[{"type":"text","text":"sent"}]},)"
    R"({"type":"text","text":"Thanks.","cache_control":{"type":"ephemeral"}}]}],"max_tokens":9,"temperature":0.5,)"
    R"("stop_sequences":["END"],"tools":[{"name":"send","description":"Sends.","input_schema":)" +
    kToolSchema + R"(}],"tool_choice":{"type":"auto"},"stream":true,"metadata":{"user_id":"u"}})";
const std::string kOllamaTurn =
    R"({"model":"asked","messages":[{"role":"system","content":"Be brief."},)"
    R"({"role":"user","content":"Say \"hi\""},)"
    R"({"role":"assistant","content":"","tool_calls":[{"function":{"name":"send","arguments":{"text":"hi"}}}]},)"
    R"({"role":"tool","tool_name":"send","content":"sent"},)"
    R"({"role":"user","content":"Thanks."}],"options":{"num_predict":9,"temperature":0.5,"stop":["END"],"num_ctx":4096},)"
    R"("tools":[{"type":"function","function":{"name":"send","description":"Sends.","parameters":)" +
    kToolSchema + R"(}}],"keep_alive":"5m"})";

const std::string kResponsesTurn =
    R"({"model":"asked","instructions":"Be brief.","input":[{"role":"user","content":"Say \"hi\""},)"
    R"({"type":"reasoning","summary":[],"encrypted_content":"x"},)"
    R"({"type":"function_call","call_id":"c1","name":"send","arguments":"{\"text\":\"hi\"}"},)"
    R"({"type":"function_call_output","call_id":"c1","output":"sent"},)"
    R"({"type":"message","role":"user","content":[{"type":"input_text","text":"Thanks."}]}],)"
    R"("max_output_tokens":9,"temperature":0.5,"store":false,"include":["reasoning.encrypted_content"],)"
    R"("tools":[{"type":"function","name":"send","description":"Sends.","strict":false,"parameters":)" +
    kToolSchema + R"(}],"tool_choice":"auto","stream":true})";

std::string chat_sent(const std::string& id, const std::string& content) {
  return R"({"model":"sent","messages":[{"role":"system","content":"Be brief."},)"
         R"({"role":"user","content":"Say \"hi\""},)"
         R"({"role":"assistant","content":)" +
         content + R"(,"tool_calls":[{"id":")" + id +
         R"(","type":"function","function":{"name":"send","arguments":"{\"text\":\"hi\"}"}}]},)"
         R"({"role":"tool","tool_call_id":")" +
         id + R"(","content":"sent"},{"role":"user","content":"Thanks."}],)" +
         R"("tools":[{"type":"function","function":{"name":"send","description":"Sends.","parameters":)" +
         kToolSchema + "}}],";
}
std::string messages_sent(const std::string& id, const std::string& choice) {
  return R"({"model":"sent","system":[{"type":"text","text":"Be brief."}],"messages":[)"
         R"({"role":"user","content":[{"type":"text","text":"Say \"hi\""}]},)"
         R"({"role":"assistant","content":[{"type":"tool_use","id":")" +
         id + R"(","name":"send","input":{"text":"hi"}}]},)" +
         R"({"role":"user","content":[{"type":"tool_result","tool_use_id":")" + id +
         R"(","content":"sent"},{"type":"text","text":"Thanks."}]}],)" +
         R"("tools":[{"name":"send","description":"Sends.","input_schema":)" + kToolSchema + "}]," +
         choice + R"("temperature":0.5,"max_tokens":9,"stop_sequences":["END"],"stream":true})";
}
const std::string kOllamaSent =
    R"({"model":"sent","messages":[{"role":"system","content":"Be brief."},)"
    R"({"role":"user","content":"Say \"hi\""},)"
    R"({"role":"assistant","content":"","tool_calls":[{"id":"c1","function":{"name":"send","arguments":{"text":"hi"}}}]},)"
    R"({"role":"tool","content":"sent","tool_name":"send","tool_call_id":"c1"},)"
    R"({"role":"user","content":"Thanks."}],)"
    R"("tools":[{"type":"function","function":{"name":"send","description":"Sends.","parameters":)" +
    kToolSchema +
    R"(}}],"options":{"num_predict":9,"temperature":0.5,"stop":["END"]},"stream":true})";
const std::string kChatEnd =
    R"("max_tokens":9,"temperature":0.5,"stop":["END"],"stream":true,"stream_options":{"include_usage":true}})";

// Responses have no stop sequences.
std::string without_stop(std::string body) {
  for (const std::string_view stop : {R"(,"stop":["END"])", R"(,"stop_sequences":["END"])"})
    if (const auto place = body.find(stop); place != std::string::npos)
      body.erase(place, stop.size());
  return body;
}

std::string chat(const std::string& rest) {
  return R"({"model":"asked","messages":[{"role":"user","content":"q"}],)" + rest + "}";
}
std::string messages(const std::string& rest) {
  return R"({"model":"asked","max_tokens":9,"messages":[{"role":"user","content":"q"}],)" + rest +
         "}";
}
std::string ollama(const std::string& rest) {
  return R"({"model":"asked","stream":false,"messages":[{"role":"user","content":"q"}],)" + rest +
         "}";
}
std::string to_messages(const std::string& rest) {
  return R"({"model":"sent","messages":[{"role":"user","content":[{"type":"text","text":"q"}]}],)" +
         rest + R"("stream":false})";
}
std::string to_chat(const std::string& rest) {
  return R"({"model":"sent","messages":[{"role":"user","content":"q"}],)" + rest +
         R"("stream":false})";
}
std::string to_ollama(const std::string& options, const std::string& rest) {
  return R"({"model":"sent","messages":[{"role":"user","content":"q"}],"options":{)" + options +
         "}," + rest + R"("stream":false})";
}

const std::string kImageUrl =
    R"({"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"see"},)"
    R"({"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}}]}]})";

INSTANTIATE_TEST_SUITE_P(
    Turns, TranslatedRequest,
    testing::Values(
        Case{"ChatToMessages", kChat, kMessages, kChatTurn,
             messages_sent("c1", R"("tool_choice":{"type":"auto"},)")},
        Case{"ChatToOllama", kChat, kOllama, kChatTurn, kOllamaSent},
        Case{"MessagesToChat", kMessages, kChat, kMessagesTurn,
             chat_sent("c1", "null") + R"("tool_choice":"auto",)" + kChatEnd},
        Case{"MessagesToOllama", kMessages, kOllama, kMessagesTurn, kOllamaSent},
        Case{"OllamaToChat", kOllama, kChat, kOllamaTurn, chat_sent("call_1", R"("")") + kChatEnd},
        Case{"ResponsesToMessages", Api::kOpenAiResponses, kMessages, kResponsesTurn,
             without_stop(messages_sent("c1", R"("tool_choice":{"type":"auto"},)"))},
        Case{"ResponsesToOllama", Api::kOpenAiResponses, kOllama, kResponsesTurn,
             without_stop(kOllamaSent)},
        Case{"OllamaToMessages", kOllama, kMessages, kOllamaTurn, messages_sent("call_1", "")}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Settings, TranslatedRequest,
    testing::Values(
        Case{"DefaultOfMaxTokens", kChat, kMessages, chat(R"("n":1)"),
             to_messages(R"("max_tokens":4096,)")},
        Case{"LabelsAreLeftOut", kChat, kMessages,
             chat(R"("user":"u","metadata":{"a":"b"},"store":false,"service_tier":"auto",)"
                  R"("presence_penalty":0,"logprobs":false,"logit_bias":{},"seed":null)"),
             to_messages(R"("max_tokens":4096,)")},
        Case{"NamedTool", kChat, kMessages,
             chat(R"("tool_choice":{"type":"function","function":{"name":"f"}})"),
             to_messages(R"("tool_choice":{"type":"tool","name":"f"},"max_tokens":4096,)")},
        Case{
            "OneCallAtATime", kChat, kMessages,
            chat(
                R"("parallel_tool_calls":false,"tools":[{"type":"function","function":{"name":"f","strict":true}}])"),
            to_messages(
                R"("tools":[{"name":"f","input_schema":{"type":"object"},"strict":true}],)"
                R"("tool_choice":{"type":"auto","disable_parallel_tool_use":true},"max_tokens":4096,)")},
        Case{
            "SchemaToMessages", kChat, kMessages,
            chat(
                R"("response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}})"),
            to_messages(
                R"("max_tokens":4096,"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}},)")},
        Case{"SchemaToOllama", kMessages, kOllama,
             messages(
                 R"("output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}})"),
             to_ollama(R"("num_predict":9)", R"("format":{"type":"object"},)")},
        Case{"JsonToChat", kOllama, kChat, ollama(R"("format":"json")"),
             to_chat(R"("response_format":{"type":"json_object"},)")},
        Case{"EffortToMessages", kChat, kMessages, chat(R"("reasoning_effort":"high")"),
             to_messages(R"("max_tokens":4096,"output_config":{"effort":"high"},)")},
        Case{"ThinkingBudgetToChat", kMessages, kChat,
             messages(R"("thinking":{"type":"enabled","budget_tokens":5000})"),
             to_chat(R"("max_tokens":9,"reasoning_effort":"medium",)")},
        Case{"AdaptiveThinkingToChat", kMessages, kChat,
             messages(R"("thinking":{"type":"adaptive"},)"
                      R"("context_management":{"edits":[{"type":"clear_thinking_20251015"}]})"),
             to_chat(R"("max_tokens":9,)")},
        Case{
            "EffortBesideABudgetToChat", kMessages, kChat,
            messages(
                R"("output_config":{"effort":"low"},"thinking":{"type":"enabled","budget_tokens":5000})"),
            to_chat(R"("max_tokens":9,"reasoning_effort":"low",)")},
        Case{"EffortWithoutThinkingToOllama", kMessages, kOllama,
             messages(R"("output_config":{"effort":"low"},"thinking":{"type":"disabled"})"),
             to_ollama(R"("num_predict":9)", R"("think":false,)")},
        Case{"ThinkOffToMessages", kOllama, kMessages, ollama(R"("think":false)"),
             to_messages(R"("max_tokens":4096,"thinking":{"type":"disabled"},)")},
        Case{"ThinkOnToOllama", kMessages, kOllama,
             messages(R"("thinking":{"type":"disabled"},"top_k":3)"),
             to_ollama(R"("num_predict":9,"top_k":3)", R"("think":false,)")},
        Case{"NoToolsToOllama", kChat, kOllama,
             chat(R"("tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"none")"),
             to_ollama("", "")},
        Case{"SeedToOllama", kChat, kOllama, chat(R"("seed":7,"frequency_penalty":0.5)"),
             to_ollama(R"("seed":7,"frequency_penalty":0.5)", "")},
        Case{
            "ImageToMessages", kChat, kMessages, kImageUrl,
            R"({"model":"sent","messages":[{"role":"user","content":[{"type":"text","text":"see"},)"
            R"({"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}]}],)"
            R"("max_tokens":4096,"stream":false})"},
        Case{
            "ImageToOllama", kChat, kOllama, kImageUrl,
            R"({"model":"sent","messages":[{"role":"user","content":"see","images":["iVBORw0KGgo="]}],)"
            R"("options":{},"stream":false})"},
        Case{
            "ImageOfOllamaToChat", kOllama, kChat,
            R"({"model":"m","stream":false,"messages":[{"role":"user","content":"see","images":["/9j/AA=="]}]})",
            R"({"model":"sent","messages":[{"role":"user","content":[{"type":"text","text":"see"},)"
            R"({"type":"image_url","image_url":{"url":"data:image/jpeg;base64,/9j/AA=="}}]}],"stream":false})"},
        Case{
            "ResultsOfToolsStandTogether", kChat, kMessages,
            R"({"model":"m","messages":[{"role":"user","content":"q"},{"role":"assistant","content":"","tool_calls":[)"
            R"({"id":"a","type":"function","function":{"name":"f","arguments":""}},)"
            R"({"id":"b","type":"function","function":{"name":"g","arguments":"{}"}}]},)"
            R"({"role":"tool","tool_call_id":"a","content":"1"},{"role":"tool","tool_call_id":"b","content":"2"}]})",
            R"({"model":"sent","messages":[{"role":"user","content":[{"type":"text","text":"q"}]},)"
            R"({"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}},)"
            R"({"type":"tool_use","id":"b","name":"g","input":{}}]},)"
            R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"1"},)"
            R"({"type":"tool_result","tool_use_id":"b","content":"2"}]}],"max_tokens":4096,"stream":false})"},
        Case{
            "ThoughtsStayAtTheirProvider", kMessages, kChat,
            R"({"model":"m","max_tokens":1,"messages":[{"role":"assistant","content":[)"
            R"({"type":"thinking","thinking":"hm","signature":"s"},{"type":"text","text":"a"}]}]})",
            R"({"model":"sent","messages":[{"role":"assistant","content":"a"}],"max_tokens":1,"stream":false})"}),
    [](const auto& test) { return test.param.name; });

TEST(TranslatedRequest, SaysMaxTokensInOpenAisNewerWordsToOpenAiItself) {
  const auto told = between(kMessages, kChat, true).request(messages(R"("top_p":1)"));
  ASSERT_TRUE(told);
  EXPECT_EQ(*told, to_chat(R"("max_completion_tokens":9,"top_p":1,)"));
}

// What cannot be said is named, never left out.
struct Refused {
  Api client;
  Api provider;
  std::string body;
  std::string field;
};

TEST(UntranslatableRequest, IsRefusedByTheNameOfItsField) {
  const std::string parts = R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":[)";
  const std::vector<Refused> all = {
      {kChat, kMessages, chat(R"("n":2)"), "n:"},
      {kChat, kMessages, chat(R"("max_tokens":9,"max_completion_tokens":8)"),
       "max_completion_tokens:"},
      {kChat, kMessages, chat(R"("seed":7)"), "seed:"},
      {kChat, kMessages, chat(R"("logit_bias":{"5":1})"), "logit_bias:"},
      {kChat, kMessages, chat(R"("logprobs":true)"), "logprobs:"},
      {kChat, kMessages, chat(R"("presence_penalty":0.5)"), "presence_penalty:"},
      {kChat, kMessages, chat(R"("temperature":1.5)"), "temperature:"},
      {kChat, kMessages, chat(R"("response_format":{"type":"json_object"})"), "response_format:"},
      {kChat, kMessages, chat(R"("reasoning_effort":"minimal")"), "reasoning_effort:"},
      {kChat, kMessages, chat(R"("unheard_of":"x")"), "unheard_of:"},
      {kChat, kMessages, chat(R"("functions":[{"name":"f"}])"), "functions:"},
      {kChat, kMessages, chat(R"("tools":[{"type":"custom","custom":{"name":"f"}}])"), "tools[0]:"},
      {kChat, kMessages, chat(R"("tools":{"a":1})"), "tools:"},
      {kChat, kMessages, chat(R"("modalities":["text","audio"])"), "modalities:"},
      {kChat, kMessages, chat(R"("max_tokens":"9")"), "max_tokens:"},
      {kChat, kOllama, chat(R"("tool_choice":"required")"), "tool_choice:"},
      {kChat, kMessages, parts + R"({"type":"input_audio","input_audio":{}}]}]})",
       "messages[0].content[0]:"},
      {kChat, kMessages,
       parts + R"({"type":"image_url","image_url":{"url":"data:text/x;base64,A"}}]}]})",
       "messages[0].content[0].image_url.url:"},
      {kChat, kOllama,
       parts + R"({"type":"image_url","image_url":{"url":"https://e.org/a.png"}}]}]})",
       "messages[0].content[0]:"},
      {kChat, kMessages,
       R"({"model":"m","messages":[{"role":"user","content":"q"},{"role":"system","content":"s"}]})",
       "messages[1]:"},
      {kChat, kMessages,
       R"({"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"a","type":"function",)"
       R"("function":{"name":"f","arguments":"[1]"}}]}]})",
       "messages[0].tool_calls[0].function.arguments:"},
      {kChat, kMessages,
       R"({"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"a","type":"function",)"
       R"("function":{"name":"f","arguments":"{\"a\":1,\"a\":2}"}}]}]})",
       "messages[0].tool_calls[0].function.arguments:"},
      {kChat, kMessages, R"({"model":"m","messages":[{"role":"user","content":"q","name":"bob"}]})",
       "messages[0].name:"},
      {kChat, kMessages,
       R"({"model":"m","messages":[{"role":"user","content":"q","unheard_of":"x"}]})",
       "messages[0].unheard_of:"},
      {kChat, kMessages,
       R"({"model":"m","messages":[{"role":"function","name":"f","content":"q"}]})",
       "messages[0].role:"},
      {kChat, kMessages, parts + R"({"type":"text","text":5}]}]})", "messages[0].content[0].text:"},
      {kMessages, kChat, parts + R"({"type":"text","text":"a","citations":[{"type":"x"}]}]}]})",
       "messages[0].content[0].citations:"},
      {kMessages, kChat,
       messages(R"("tools":[{"name":"f","input_schema":{},"defer_loading":true}])"),
       "tools[0].defer_loading:"},
      {kMessages, kChat, messages(R"("top_k":5)"), "top_k:"},
      {kMessages, kChat, messages(R"("tools":[{"type":"web_search_20250305","name":"w"}])"),
       "tools[0]:"},
      {kMessages, kChat, messages(R"("mcp_servers":[{"url":"u"}])"), "mcp_servers:"},
      {kMessages, kChat,
       messages(R"("context_management":{"edits":[{"type":"clear_tool_uses_20250919"}]})"),
       "context_management.edits[0]:"},
      {kMessages, kChat, messages(R"("output_config":{"effort":"max"})"), "output_config.effort:"},
      {kMessages, kOllama, messages(R"("tool_choice":{"type":"any"})"), "tool_choice:"},
      {kMessages, kChat, parts + R"({"type":"document","source":{"type":"text","data":"d"}}]}]})",
       "messages[0].content[0]:"},
      {kMessages, kChat,
       parts + R"({"type":"tool_result","tool_use_id":"a","content":[{"type":"image","source":)"
               R"({"type":"url","url":"u"}}]}]}]})",
       "messages[0].content[0].content[0]:"},
      {Api::kOpenAiResponses, kMessages, R"({"input":"q","tools":[{"type":"file_search"}]})",
       "tools[0]:"},
      {Api::kOpenAiResponses, kMessages, R"({"input":"q","previous_response_id":"r"})",
       "previous_response_id:"},
      {Api::kOpenAiResponses, kMessages, R"({"input":[{"type":"item_reference","id":"i"}]})",
       "input[0]:"},
      {Api::kOpenAiResponses, kMessages, R"({"input":"q","truncation":"auto"})", "truncation:"},
      {Api::kOpenAiResponses, kMessages, R"({"input":"q","text":{"verbosity":"low"}})",
       "text.verbosity:"},
      {kOllama, kChat, ollama(R"("options":{"repeat_penalty":1.1})"), "options.repeat_penalty:"},
      {kOllama, kChat, ollama(R"("options":{"top_k":5})"), "options.top_k:"},
      {kOllama, kMessages,
       R"({"model":"m","messages":[{"role":"tool","tool_name":"f","content":"r"}]})",
       "messages[0]:"},
      {kOllama, kMessages,
       R"({"model":"m","messages":[{"role":"user","content":"q","images":["AAAA"]}]})",
       "messages[0].images[0]:"},
  };
  for (const Refused& one : all) {
    const auto told = between(one.client, one.provider).request(one.body);
    ASSERT_FALSE(told) << one.body << "\n" << *told;
    EXPECT_THAT(told.error().message, testing::StartsWith(one.field)) << one.body;
    EXPECT_EQ(told.error().code, Errc::kInvalid);
  }
}

TEST(SentModel, IsTheNamedOneElseItsOwnElseTheFallback) {
  TranslateConfig config;
  EXPECT_EQ(sent_model(config, {}, "gpt-4o"), "gpt-4o");
  config.model_names.emplace("gpt-4o", "claude-sonnet-4-5");
  EXPECT_EQ(sent_model(config, {}, "gpt-4o"), "claude-sonnet-4-5");
  EXPECT_EQ(sent_model(config, {}, "other"), "other");
  config.fallback_model = "llama3.1:8b";
  EXPECT_EQ(sent_model(config, {}, "other"), "llama3.1:8b");
  EXPECT_EQ(sent_model(config, {"qwen*"}, "qwen3:4b"), "qwen3:4b");
  EXPECT_EQ(sent_model(config, {"qwen*"}, "gpt-4o"), "claude-sonnet-4-5");
}

}  // namespace
}  // namespace aispm::gateway::translate
