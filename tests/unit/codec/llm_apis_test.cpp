// SPDX-License-Identifier: Apache-2.0
// Request lines and requests of every dialect besides chat and messages.
#include <gmock/gmock.h>

#include <map>

#include "sdk/core/codec/llm.hpp"

namespace aispm::codec {
namespace {

using ::testing::Contains;

TEST(FindRoute, KnowsEveryApi) {
  const struct {
    const char* line;
    Api api;
    const char* model = "";
    bool streams = false;
    bool is_common = false;
  } cases[] = {
      {"POST /v1/responses", Api::kOpenAiResponses, ""},
      {"POST /backend-api/codex/responses", Api::kOpenAiResponses, ""},
      {"POST /responses", Api::kOpenAiResponses, "", false, true},
      {"POST /openai/v1/responses?api-version=preview", Api::kOpenAiResponses, ""},
      {"POST /v1/completions", Api::kOpenAiCompletions, ""},
      {"POST /v1/fim/completions", Api::kOpenAiCompletions, ""},
      {"POST /v1/agents/completions", Api::kOpenAiChat, ""},
      {"POST /v1/embeddings", Api::kOpenAiEmbeddings, ""},
      {"POST /openai/deployments/my%20emb/embeddings?api-version=1", Api::kOpenAiEmbeddings,
       "my emb"},
      {"POST /openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21", Api::kOpenAiChat,
       "gpt-4o"},
      {"POST /v1/moderations", Api::kOpenAiModerations, ""},
      {"POST /v1/chat/moderations", Api::kOpenAiModerations, ""},
      {"GET /v1/models", Api::kOpenAiModels, ""},
      {"GET /v1/realtime?x=1&model=gpt-realtime", Api::kOpenAiRealtime, "gpt-realtime", true},
      {"GET /v1/responses", Api::kOpenAiRealtime, "", true},
      {"POST /v1/messages/count_tokens?beta=true", Api::kAnthropicCountTokens, ""},
      {"POST /v1beta/models/gemini-2.5-pro:generateContent?key=k", Api::kGeminiGenerate,
       "gemini-2.5-pro"},
      {"POST /v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", Api::kGeminiGenerate,
       "gemini-2.5-flash", true},
      {"POST /v1/projects/p/locations/l/publishers/google/models/gemini-3:generateContent",
       Api::kGeminiGenerate, "gemini-3"},
      {"POST /v1internal:streamGenerateContent?alt=sse", Api::kGeminiGenerate, "", true},
      {"POST /v1beta/models/emb:batchEmbedContents", Api::kGeminiEmbed, "emb"},
      {"POST /v1beta/models/g:countTokens", Api::kGeminiCountTokens, "g"},
      {"POST /v1/projects/p/locations/l/publishers/anthropic/models/claude@1:streamRawPredict",
       Api::kAnthropicMessages, "claude@1", true},
      {"POST /model/anthropic.claude-3-5-sonnet-v1%3A0/invoke", Api::kBedrockInvoke,
       "anthropic.claude-3-5-sonnet-v1:0"},
      {"POST /model/amazon.nova-lite-v1:0/invoke-with-response-stream", Api::kBedrockInvoke,
       "amazon.nova-lite-v1:0", true},
      {"POST /model/arn:aws:bedrock:eu:1:inference-profile/x/converse", Api::kBedrockConverse,
       "arn:aws:bedrock:eu:1:inference-profile/x"},
      {"POST /model/m/converse-stream", Api::kBedrockConverse, "m", true},
      {"POST /api/chat", Api::kOllamaChat, "", false, true},
      {"POST /api/generate", Api::kOllamaGenerate, "", false, true},
      {"POST /api/embed", Api::kOllamaEmbed, "", false, true},
      {"POST /api/embeddings", Api::kOllamaEmbed, "", false, true},
      {"GET /api/tags", Api::kOllamaTags, "", false, true},
      {"POST /completion", Api::kLlamaCppCompletion, "", false, true},
      {"POST /infill", Api::kLlamaCppCompletion, "", false, true},
      {"POST /embeddings", Api::kOpenAiEmbeddings, "", false, true},
      {"POST /api/v0/chat/completions", Api::kOpenAiChat, ""},  // LM Studio
  };
  for (const auto& one : cases) {
    const std::string line = one.line;
    const std::size_t space = line.find(' ');
    const auto route = find_route(line.substr(0, space), line.substr(space + 1));
    ASSERT_TRUE(route.has_value()) << line;
    EXPECT_EQ(route->api, one.api) << line;
    EXPECT_EQ(route->model, one.model) << line;
    EXPECT_EQ(route->streams, one.streams) << line;
    EXPECT_EQ(route->is_common_path, one.is_common) << line;
    EXPECT_EQ(find_api(line.substr(0, space), line.substr(space + 1)).has_value(), !one.is_common);
  }
}

TEST(FindRoute, KnowsWhatIsNone) {
  for (const char* line :
       {"GET /", "POST /v1/files", "GET /v1/chat/completions", "PUT /v1/responses",
        "POST /model/x/invocations", "POST /model//invoke", "POST /x:generateContent",
        "POST /v1/models/m:predict", "POST /v1/users/u/models/m:rawPredict",
        "GET /v1/responses/resp_1", "POST /api/chats", "DELETE /api/tags"}) {
    const std::string text = line;
    const std::size_t space = text.find(' ');
    EXPECT_EQ(find_route(text.substr(0, space), text.substr(space + 1)), std::nullopt) << line;
  }
}

struct RequestCase {
  Api api;
  std::string body;
  std::string model;
  bool stream = false;
  std::uint64_t max_tokens = 0;
  std::vector<std::string> tools = {};
  std::string prompt = {};
};

// What every request of every dialect must obey.
void check(const RequestCase& one) {
  SCOPED_TRACE(std::string(name_of(one.api)) + " " + one.body);
  const auto request = parse_request(one.api, one.body);
  ASSERT_TRUE(request.has_value()) << request.error().message;
  EXPECT_EQ(request->model, one.model);
  EXPECT_EQ(request->stream, one.stream);
  EXPECT_EQ(request->max_tokens.value_or(0), one.max_tokens);
  EXPECT_EQ(request->tools_offered, one.tools);
  EXPECT_EQ(prompt_text(*request), one.prompt);
  for (const TextPart& part : request->parts)
    EXPECT_EQ(json_unescape(one.body.substr(part.span.begin, part.span.size())).value(), part.text);
}

TEST(OtherRequests, AreTakenApart) {
  check(
      {Api::kOpenAiResponses,
       R"({"model":"gpt-5","instructions":"Be brief","input":"hi","stream":true,"max_output_tokens":50,"tools":[{"type":"function","name":"f","parameters":{}},{"type":"web_search"}]})",
       "gpt-5",
       true,
       50,
       {"f", "web_search"},
       "Be brief\nhi"});
  check(
      {Api::kOpenAiResponses,
       R"({"model":"gpt-5","input":[{"role":"user","content":[{"type":"input_text","text":"read it"}]},{"type":"function_call","call_id":"c","name":"read","arguments":"{\"p\":1}"},{"type":"function_call_output","call_id":"c","output":"the file"},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"done"}]}]})",
       "gpt-5",
       false,
       0,
       {},
       "read it\nthe file\ndone"});
  check({Api::kOpenAiResponses, R"({"model":"gpt-5","previous_response_id":"resp_1","input":[]})",
         "gpt-5"});
  check({Api::kOpenAiCompletions,
         R"({"model":"m","prompt":["a","b"],"suffix":"end","max_tokens":7,"stream":true})",
         "m",
         true,
         7,
         {},
         "a\nb\nend"});
  check({Api::kOpenAiCompletions, R"({"model":"m","prompt":[1,2,3]})", "m"});
  check({Api::kOpenAiEmbeddings,
         R"({"model":"e","input":["x","y"],"dimensions":3})",
         "e",
         false,
         0,
         {},
         "x\ny"});
  check(
      {Api::kOpenAiModerations,
       R"({"model":"omni","input":[{"type":"text","text":"bad?"},{"type":"image_url","image_url":{"url":"http://x"}}]})",
       "omni",
       false,
       0,
       {},
       "bad?"});
  check(
      {Api::kOpenAiModerations,
       R"({"model":"mistral","input":[[{"role":"user","content":"q"},{"role":"assistant","content":"a"}]]})",
       "mistral",
       false,
       0,
       {},
       "q\na"});
  check({Api::kAnthropicCountTokens,
         R"({"model":"claude","system":"s","messages":[{"role":"user","content":"hi"}]})",
         "claude",
         false,
         0,
         {},
         "s\nhi"});
  check(
      {Api::kGeminiGenerate,
       R"({"systemInstruction":{"parts":[{"text":"Be kind"}]},"contents":[{"role":"user","parts":[{"text":"hi"},{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":{"x":"y"}}}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"r":"out"}}}]}],"tools":[{"functionDeclarations":[{"name":"f","description":"d"}]},{"googleSearch":{}}],"generationConfig":{"maxOutputTokens":9}})",
       "",
       false,
       9,
       {"f", "googleSearch"},
       "Be kind\nhi"});
  check(
      {Api::kGeminiGenerate,
       R"({"model":"gemini-2.5-pro","project":"p","request":{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"system_instruction":{"parts":{"text":"sys"}}}})",
       "gemini-2.5-pro",
       false,
       0,
       {},
       "hi\nsys"});
  check(
      {Api::kGeminiEmbed,
       R"({"requests":[{"model":"models/e","content":{"parts":[{"text":"one"}]}},{"content":{"parts":[{"text":"two"}]}}]})",
       "e",
       false,
       0,
       {},
       "one\ntwo"});
  check(
      {Api::kBedrockConverse,
       R"({"system":[{"text":"sys"}],"messages":[{"role":"user","content":[{"text":"hi"}]},{"role":"assistant","content":[{"toolUse":{"toolUseId":"t","name":"f","input":{"a":"b"}}}]},{"role":"user","content":[{"toolResult":{"toolUseId":"t","content":[{"text":"result"}]}}]}],"inferenceConfig":{"maxTokens":5},"toolConfig":{"tools":[{"toolSpec":{"name":"f","description":"d","inputSchema":{"json":{}}}}]}})",
       "",
       false,
       5,
       {"f"},
       "sys\nhi\nresult"});
  check(
      {Api::kBedrockInvoke,
       R"({"anthropic_version":"bedrock-2023-05-31","max_tokens":3,"messages":[{"role":"user","content":"hi"}]})",
       "",
       false,
       3,
       {},
       "hi"});
  check({Api::kBedrockInvoke,
         R"({"inputText":"hi","textGenerationConfig":{"maxTokenCount":4}})",
         "",
         false,
         4,
         {},
         "hi"});
  check({Api::kBedrockInvoke, R"({"prompt":"hi","max_gen_len":4})", "", false, 4, {}, "hi"});
  check(
      {Api::kOllamaChat,
       R"({"model":"llama3","messages":[{"role":"user","content":"hi"}],"options":{"num_predict":8},"tools":[{"type":"function","function":{"name":"f"}}]})",
       "llama3",
       true,
       8,
       {"f"},
       "hi"});
  check(
      {Api::kOllamaChat,
       R"({"model":"llama3","stream":false,"messages":[{"role":"tool","tool_name":"f","content":"r"}]})",
       "llama3",
       false,
       0,
       {},
       "r"});
  check({Api::kOllamaGenerate,
         R"({"model":"llama3","system":"s","prompt":"p"})",
         "llama3",
         true,
         0,
         {},
         "s\np"});
  check({Api::kOllamaGenerate, R"({"model":"llama3"})", "llama3", true});
  check({Api::kOllamaEmbed, R"({"model":"e","input":"x"})", "e", false, 0, {}, "x"});
  check({Api::kLlamaCppCompletion,
         R"({"prompt":"p","n_predict":6,"stream":true})",
         "",
         true,
         6,
         {},
         "p"});
}

TEST(OtherRequests, SetEveryTextOnItsSurface) {
  const auto surfaces = [](Api api, std::string_view body) {
    std::map<std::string, Surface> found;
    const auto request = parse_request(api, body);
    if (!request) {
      ADD_FAILURE() << request.error().message;
      return found;
    }
    for (const TextPart& part : request->parts) found[std::string(part.text)] = part.surface;
    return found;
  };
  const auto responses = surfaces(
      Api::kOpenAiResponses,
      R"({"model":"m","instructions":"A","input":[{"role":"developer","content":"B"},{"role":"user","content":"C"},{"role":"assistant","content":"D"},{"type":"function_call","name":"E","arguments":"F"},{"type":"function_call_output","output":[{"type":"input_text","text":"G"}]},{"type":"mcp_list_tools","tools":[{"name":"H"}]},{"type":"reasoning","summary":[{"type":"summary_text","text":"I"}]},{"type":"mcp_call","arguments":"K","output":"L"},{"type":"new_kind","words":"M"}],"tools":[{"type":"function","name":"N","description":"O"}],"metadata":{"k":"P"}})");
  const std::map<std::string, Surface> expected = {{"A", Surface::kSystem},
                                                   {"B", Surface::kSystem},
                                                   {"C", Surface::kPrompt},
                                                   {"D", Surface::kAssistant},
                                                   {"E", Surface::kToolArguments},
                                                   {"F", Surface::kToolArguments},
                                                   {"G", Surface::kToolResult},
                                                   {"H", Surface::kToolDescription},
                                                   {"I", Surface::kAssistant},
                                                   {"K", Surface::kToolArguments},
                                                   {"L", Surface::kToolResult},
                                                   {"M", Surface::kPrompt},
                                                   {"N", Surface::kToolDescription},
                                                   {"O", Surface::kToolDescription},
                                                   {"P", Surface::kOther}};
  for (const auto& [text, surface] : expected) {
    ASSERT_TRUE(responses.contains(text)) << text;
    EXPECT_EQ(responses.at(text), surface) << text;
  }
  const auto gemini = surfaces(
      Api::kGeminiGenerate,
      R"({"contents":[{"role":"user","parts":[{"text":"A"},{"inlineData":{"mimeType":"B"}}]},{"role":"model","parts":[{"functionCall":{"name":"C","args":{"x":"D"}}}]},{"role":"function","parts":[{"functionResponse":{"response":{"r":"E"}}}]}],"tools":[{"functionDeclarations":[{"name":"F","description":"G"}]}],"safetySettings":[{"category":"H"}],"labels":{"secret_in_a_long_key":"I"}})");
  EXPECT_EQ(gemini.at("A"), Surface::kPrompt);
  EXPECT_EQ(gemini.at("B"), Surface::kPrompt);
  EXPECT_EQ(gemini.at("D"), Surface::kToolArguments);
  EXPECT_EQ(gemini.at("E"), Surface::kToolResult);
  EXPECT_EQ(gemini.at("G"), Surface::kToolDescription);
  EXPECT_EQ(gemini.at("H"), Surface::kOther);
  EXPECT_TRUE(gemini.contains("secret_in_a_long_key"));
  const auto converse = surfaces(
      Api::kBedrockConverse,
      R"({"messages":[{"role":"user","content":[{"text":"A"},{"toolResult":{"toolUseId":"z","content":[{"json":{"k":"B"}}]}}]},{"role":"assistant","content":[{"toolUse":{"toolUseId":"z","name":"f","input":{"a":"C"}}}]}],"toolConfig":{"tools":[{"toolSpec":{"name":"D","description":"E"}}]},"additionalModelRequestFields":{"k":"F"}})");
  EXPECT_EQ(converse.at("A"), Surface::kPrompt);
  EXPECT_EQ(converse.at("B"), Surface::kToolResult);
  EXPECT_EQ(converse.at("C"), Surface::kToolArguments);
  EXPECT_EQ(converse.at("E"), Surface::kToolDescription);
  EXPECT_EQ(converse.at("F"), Surface::kOther);
}

TEST(OtherRequests, ReadTheSocketMessagesOfAClient) {
  check(
      {Api::kOpenAiRealtime,
       R"({"type":"response.create","model":"gpt-5","input":[{"role":"user","content":"hi"}],"instructions":"i"})",
       "gpt-5",
       true,
       0,
       {},
       "hi\ni"});
  check(
      {Api::kOpenAiRealtime,
       R"({"type":"session.update","session":{"model":"gpt-realtime","instructions":"speak","tools":[{"type":"function","name":"f"}]}})",
       "gpt-realtime",
       true,
       0,
       {"f"},
       "speak"});
  check(
      {Api::kOpenAiRealtime,
       R"({"type":"conversation.item.create","item":{"type":"message","role":"user","content":[{"type":"input_text","text":"hello"}]}})",
       "",
       true,
       0,
       {},
       "hello"});
  const std::string sound(300, 'A');
  const auto append = parse_request(
      Api::kOpenAiRealtime, R"({"type":"input_audio_buffer.append","audio":")" + sound + "\"}");
  ASSERT_TRUE(append.has_value());
  EXPECT_EQ(append->message_type, "input_audio_buffer.append");
  ASSERT_EQ(append->parts.size(), 1U);
  EXPECT_EQ(append->parts[0].surface, Surface::kMedia);
}

TEST(OtherRequests, SayThatGeminiKeepsTextOfTheirs) {
  const auto request = parse_request(
      Api::kGeminiGenerate,
      R"({"contents":[{"parts":[{"text":"hi"}]}],"cached_content":"cachedContents/x"})");
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->history, "cached_content");
}

TEST(OtherRequests, TakeWhatThePathSays) {
  const auto route = find_route("POST", "/v1beta/models/gemini-3:streamGenerateContent");
  const auto request = parse_request(*route, R"({"contents":[{"parts":[{"text":"hi"}]}]})");
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->model, "gemini-3");
  EXPECT_TRUE(request->stream);
  EXPECT_TRUE(parse_request(Api::kOpenAiModels, "").has_value());
  EXPECT_TRUE(parse_request(Api::kOpenAiRealtime, "").has_value());
}

TEST(OtherRequests, RefuseOtherProgramsBodies) {
  const struct {
    Api api;
    const char* body;
  } cases[] = {
      {Api::kOllamaChat, R"({"messages":[{"role":"user","content":"hi"}],"id":"x"})"},
      {Api::kOllamaChat, R"({"model":"m"})"},
      {Api::kOllamaGenerate, R"({"prompt":"hi"})"},
      {Api::kOllamaEmbed, R"({"input":"hi"})"},
      {Api::kOpenAiResponses, R"({"answer":"yes"})"},
      {Api::kOpenAiEmbeddings, R"({"text":"hi"})"},
      {Api::kOpenAiCompletions, R"({"model":"m"})"},
      {Api::kLlamaCppCompletion, R"({"task":"done"})"},
      {Api::kGeminiGenerate, R"({"prompt":"hi"})"},
      {Api::kBedrockConverse, R"({"inputText":"hi"})"},
      {Api::kOpenAiRealtime, R"({"event":"x"})"},
      {Api::kOpenAiResponses, R"({"model":"m","input":"a","input":"b"})"},
      {Api::kGeminiGenerate, R"({"contents":[],"contents":[]})"},
      {Api::kOpenAiResponses, "[]"},
      {Api::kOpenAiResponses, ""},
  };
  for (const auto& one : cases) {
    const auto request = parse_request(one.api, one.body);
    ASSERT_FALSE(request.has_value()) << name_of(one.api) << " " << one.body;
    EXPECT_EQ(request.error().code, Errc::kInvalid);
  }
}

TEST(NameOf, NamesEveryApiOnce) {
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < kApiCount; ++i) {
    const std::string_view name = name_of(static_cast<Api>(i));
    EXPECT_FALSE(name.empty());
    EXPECT_THAT(names, testing::Not(Contains(name)));
    names.push_back(name);
  }
}

}  // namespace
}  // namespace aispm::codec
