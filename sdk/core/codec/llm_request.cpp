// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/codec/llm_request_reader.hpp"
#include "sdk/core/common/crypto.hpp"

namespace aispm::codec {
namespace {

bool is_known_key(std::string_view name) {
  return name == "max_completion_tokens" || name == "frequency_penalty" ||
         name == "presence_penalty" || name == "parallel_tool_calls" ||
         name == "prompt_cache_retention" || name == "context_management" ||
         name == "reasoning_effort" || name == "safety_identifier" || name == "prompt_cache_key" ||
         name == "web_search_options" || name == "max_output_tokens" ||
         name == "previous_response_id" || name == "systemInstruction" ||
         name == "generationConfig" || name == "system_instruction";
}

template <typename Use>
void each_message_text(const LlmRequest& request, Use use) {
  for (const TextPart& part : request.parts)
    if (part.is_message) use(part.text);
}

}  // namespace

Result<> RequestReader::read() {
  switch (request_.api) {
    case Api::kOpenAiChat:
    case Api::kAnthropicMessages:
    case Api::kAnthropicCountTokens:
      tree_.each_member(0, [&](const JsonNode& key, std::size_t value) {
        if (error_.empty()) read_member(key, value);
      });
      break;
    case Api::kOpenAiResponses:
      read_responses(0);
      break;
    case Api::kOpenAiRealtime:
      read_realtime();
      break;
    case Api::kGeminiGenerate:
    case Api::kGeminiEmbed:
    case Api::kGeminiCountTokens:
      read_gemini(0);
      break;
    case Api::kBedrockInvoke:
    case Api::kBedrockConverse:
      read_bedrock();
      break;
    case Api::kOllamaChat:
      read_ollama();
      break;
    case Api::kOpenAiCompletions:
    case Api::kOpenAiEmbeddings:
    case Api::kOpenAiModerations:
    case Api::kOllamaGenerate:
    case Api::kOllamaEmbed:
    case Api::kLlamaCppCompletion:
      read_prompts(0);
      break;
    case Api::kOpenAiModels:
    case Api::kOllamaTags:
      add_all(0, Surface::kOther);  // a GET has no body; if one comes, it is seen
      has_content_ = true;
      break;
  }
  if (error_.empty() && !has_content_) reject(0, "no \"messages\", prompt or input");
  if (!error_.empty()) return fail(Errc::kInvalid, error_);
  if (request_.parts.size() > kMaxTextParts)
    return fail(Errc::kTooLarge, "more than " + std::to_string(kMaxTextParts) + " strings");
  if (request_.tools_offered.size() > kMaxToolsOffered)
    return fail(Errc::kTooLarge, "more than " + std::to_string(kMaxToolsOffered) + " tools");
  return {};
}

void RequestReader::read_member(const JsonNode& key, std::size_t value) {
  const std::string_view name = key.text;
  if (name == "messages") {
    read_messages(value);
  } else if (name == "system" && request_.api != Api::kOpenAiChat) {
    read_content(value, Surface::kSystem);
  } else if (!read_common(name, value)) {
    // Anthropic's connector.
    if (name == "mcp_servers" && tree_[value].next > value + 1) request_.has_remote_mcp = true;
    return read_other(key, value);
  }
  // A key is the client's choice too.
  if (name.size() >= kMinKeyTextBytes && !is_known_key(name)) add(key, Surface::kOther, false);
}

bool RequestReader::read_common(std::string_view name, std::size_t value) {
  if (name == "model") {
    read_model(value);
  } else if (name == "stream") {
    read_flag(value, request_.stream, "\"stream\" is not true or false");
  } else if (name == "stream_options") {
    read_stream_options(value);
  } else if (name == "max_tokens" || name == "max_completion_tokens") {
    if (const auto number = tree_.number(value)) request_.max_tokens = *number;
  } else if (name == "n") {
    request_.choices = tree_.number(value).value_or(1);
  } else if (name == "tools" || name == "functions") {
    read_tools(value);
  } else {
    return false;
  }
  return true;
}

void RequestReader::read_other(const JsonNode& key, std::size_t value) {
  add_all(value, Surface::kOther);
  if (key.text.size() >= kMinKeyTextBytes && !is_known_key(key.text))
    add(key, Surface::kOther, false);
}

Result<LlmRequest> parse_request(Api api, std::string_view body) {
  if (body.size() > kMaxLlmBodyBytes)
    return fail(Errc::kTooLarge,
                "body of more than " + std::to_string(kMaxLlmBodyBytes) + " bytes");
  LlmRequest request;
  request.api = api;
  // A GET has none.
  if (body.empty() &&
      (api == Api::kOpenAiModels || api == Api::kOllamaTags || api == Api::kOpenAiRealtime))
    return request;
  JsonTree& tree = thread_tree();
  AISPM_CHECK(tree.read(body, kMaxJsonDepth));
  request.end_offset = tree[0].end - 1;
  AISPM_CHECK(RequestReader(tree, request).read());
  request.decoded = tree.take_decoded();
  return request;
}

Result<LlmRequest> parse_request(const ApiRoute& route, std::string_view body) {
  AISPM_TRY(LlmRequest request, parse_request(route.api, body));
  if (request.model.empty()) request.model = route.model;
  if (route.streams) request.stream = true;
  return request;
}

std::string prompt_text(const LlmRequest& request) {
  std::string text;
  bool is_first = true;
  each_message_text(request, [&](std::string_view part) {
    if (!is_first) text.push_back('\n');
    is_first = false;
    text.append(part);
  });
  return text;
}

std::string prompt_sha256(const LlmRequest& request) {
  Sha256Stream stream;
  bool is_first = true;
  each_message_text(request, [&](std::string_view part) {
    if (!is_first) stream.update("\n");
    is_first = false;
    stream.update(part);
  });
  return stream.finish_hex();
}

std::optional<JsonPatch> no_store_patch(const LlmRequest& request, std::string_view body) {
  if (request.api != Api::kOpenAiResponses) return std::nullopt;
  // The body holds an input, so there is always a member before the brace.
  if (request.store_span.empty())
    return JsonPatch{{request.end_offset, request.end_offset}, R"(,"store":false)"};
  const JsonSpan span = request.store_span;
  if (body.substr(span.begin, span.size()) == "null") return JsonPatch{span, "false"};
  return std::nullopt;
}

std::optional<JsonPatch> include_usage_patch(const LlmRequest& request, std::string_view body) {
  const bool has_options =
      request.api == Api::kOpenAiChat || request.api == Api::kOpenAiCompletions;
  if (!has_options || !request.stream || request.include_usage) return std::nullopt;
  if (request.stream_options_span.empty()) {
    // The body holds "messages" or "prompt", so there is always a member before the brace.
    return JsonPatch{{request.end_offset, request.end_offset},
                     R"(,"stream_options":{"include_usage":true})"};
  }
  JsonTree& tree = thread_tree();
  const JsonSpan span = request.stream_options_span;
  const std::string_view options = body.substr(span.begin, span.size());
  if (!tree.read(options, kMaxJsonDepth))  // null or another kind: replace it
    return JsonPatch{span, R"({"include_usage":true})"};
  const std::size_t usage = tree.find(0, "include_usage");
  if (usage != JsonTree::kNone)
    return JsonPatch{{span.begin + tree[usage].begin, span.begin + tree[usage].end}, "true"};
  return JsonPatch{{span.begin + 1, span.begin + 1},
                   tree.size() > 1 ? R"("include_usage":true,)" : R"("include_usage":true)"};
}

}  // namespace aispm::codec
