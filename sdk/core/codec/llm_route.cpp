// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "sdk/core/codec/llm_api.hpp"
#include "sdk/core/codec/llm_internal.hpp"

namespace aispm::codec {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// One path segment, cut at kMaxNameBytes. A broken escape stays as it is.
std::string percent_decoded(std::string_view segment) {
  std::string out;
  for (std::size_t i = 0; i < segment.size() && out.size() < kMaxNameBytes; ++i) {
    if (segment[i] == '%' && i + 2 < segment.size() && hex_value(segment[i + 1]) >= 0 &&
        hex_value(segment[i + 2]) >= 0) {
      out.push_back(static_cast<char>(hex_value(segment[i + 1]) * 16 + hex_value(segment[i + 2])));
      i += 2;
    } else {
      out.push_back(segment[i]);
    }
  }
  return out;
}

// The segment after `marker`, empty when the path has no such marker.
std::string segment_after(std::string_view path, std::string_view marker) {
  const std::size_t at = path.find(marker);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = path.substr(at + marker.size());
  return percent_decoded(rest.substr(0, rest.find('/')));
}

struct Suffix {
  std::string_view path;
  Api api;
  bool is_common;
};

// The longest suffix first where one ends with another.
constexpr std::array<Suffix, 24> kPosts = {{
    {"/chat/completions", Api::kOpenAiChat, false},
    {"/v1/agents/completions", Api::kOpenAiChat, false},
    {"/v1/messages", Api::kAnthropicMessages, false},
    {"/v1/messages/count_tokens", Api::kAnthropicCountTokens, false},
    {"/v1/responses", Api::kOpenAiResponses, false},
    {"/v1/responses/compact", Api::kOpenAiResponses, false},
    {"/openai/responses", Api::kOpenAiResponses, false},
    {"/codex/responses", Api::kOpenAiResponses, false},
    {"/responses", Api::kOpenAiResponses, true},
    {"/v1/completions", Api::kOpenAiCompletions, false},
    {"/fim/completions", Api::kOpenAiCompletions, false},
    {"/infill", Api::kLlamaCppCompletion, true},
    {"/completion", Api::kLlamaCppCompletion, true},
    {"/v1/embeddings", Api::kOpenAiEmbeddings, false},
    {"/api/embeddings", Api::kOllamaEmbed, true},
    {"/openai/embeddings", Api::kOpenAiEmbeddings, false},
    {"/embeddings", Api::kOpenAiEmbeddings, true},
    {"/v1/moderations", Api::kOpenAiModerations, false},
    {"/chat/moderations", Api::kOpenAiModerations, false},
    {"/moderations", Api::kOpenAiModerations, true},
    {"/api/chat", Api::kOllamaChat, true},
    {"/api/generate", Api::kOllamaGenerate, true},
    {"/api/embed", Api::kOllamaEmbed, true},
    {"/completions", Api::kOpenAiCompletions, true},
}};

struct Verb {
  std::string_view name;
  Api api;
  bool streams;
};

// Google's custom methods: "models/NAME:VERB".
constexpr std::array<Verb, 7> kGoogleVerbs = {{
    {"generateContent", Api::kGeminiGenerate, false},
    {"streamGenerateContent", Api::kGeminiGenerate, true},
    {"countTokens", Api::kGeminiCountTokens, false},
    {"embedContent", Api::kGeminiEmbed, false},
    {"batchEmbedContents", Api::kGeminiEmbed, false},
    {"rawPredict", Api::kAnthropicMessages, false},
    {"streamRawPredict", Api::kAnthropicMessages, true},
}};

constexpr std::array<Verb, 4> kBedrockVerbs = {{
    {"invoke", Api::kBedrockInvoke, false},
    {"invoke-with-response-stream", Api::kBedrockInvoke, true},
    {"converse", Api::kBedrockConverse, false},
    {"converse-stream", Api::kBedrockConverse, true},
}};

std::optional<ApiRoute> find_google(std::string_view path) {
  const std::size_t colon = path.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view resource = path.substr(0, colon);
  const std::size_t slash = resource.rfind('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const std::string_view parent = resource.substr(0, slash);
  // Code Assist names the model in the body.
  const bool is_internal = resource.substr(slash + 1) == "v1internal";
  const bool is_model = parent.ends_with("/models") || parent.ends_with("/tunedModels") ||
                        parent.ends_with("/endpoints");
  if (!is_internal && !is_model) return std::nullopt;
  for (const Verb& verb : kGoogleVerbs) {
    if (path.substr(colon + 1) != verb.name) continue;
    const bool is_raw = verb.api == Api::kAnthropicMessages;
    if (is_raw && !parent.ends_with("/publishers/anthropic/models")) return std::nullopt;
    return ApiRoute{verb.api,
                    is_internal ? std::string() : percent_decoded(resource.substr(slash + 1)),
                    verb.streams, false};
  }
  return std::nullopt;
}

std::optional<ApiRoute> find_bedrock(std::string_view path) {
  constexpr std::string_view kModel = "/model/";
  const std::size_t begin = path.find(kModel);
  const std::size_t slash = path.rfind('/');
  if (begin == std::string_view::npos || slash <= begin + kModel.size()) return std::nullopt;
  for (const Verb& verb : kBedrockVerbs) {
    if (path.substr(slash + 1) != verb.name) continue;
    // An ARN may come with its slash unescaped.
    const std::size_t name = begin + kModel.size();
    return ApiRoute{verb.api, percent_decoded(path.substr(name, slash - name)), verb.streams,
                    false};
  }
  return std::nullopt;
}

std::optional<ApiRoute> find_post(std::string_view path) {
  if (auto route = find_google(path)) return route;
  if (auto route = find_bedrock(path)) return route;
  for (const Suffix& suffix : kPosts) {
    if (!path.ends_with(suffix.path)) continue;
    ApiRoute route{suffix.api, segment_after(path, "/openai/deployments/"), false,
                   suffix.is_common};
    // Azure's deployment in front makes any of them its own.
    if (!route.model.empty()) route.is_common_path = false;
    return route;
  }
  return std::nullopt;
}

std::optional<ApiRoute> find_get(std::string_view path) {
  if (path.ends_with("/v1/models") || path.ends_with("/openai/models"))
    return ApiRoute{Api::kOpenAiModels, {}, false, false};
  if (path.ends_with("/api/tags")) return ApiRoute{Api::kOllamaTags, {}, false, true};
  if (path.ends_with("/v1/realtime") || path.ends_with("/openai/realtime") ||
      path.ends_with("/v1/responses") || path.ends_with("/codex/responses"))
    return ApiRoute{Api::kOpenAiRealtime, {}, true, false};
  return std::nullopt;
}

// The value of ?model= (realtime sessions name it there).
std::string model_of_query(std::string_view target) {
  const std::size_t question = target.find('?');
  if (question == std::string_view::npos) return {};
  std::string_view query = target.substr(question + 1);
  query = query.substr(0, query.find('#'));
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    for (const std::string_view key : {"model=", "deployment="})
      if (pair.starts_with(key)) return percent_decoded(pair.substr(key.size()));
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
  }
  return {};
}

}  // namespace

std::string_view name_of(Api api) {
  static constexpr std::array<std::string_view, kApiCount> kNames = {
      "openai.chat",
      "anthropic.messages",
      "openai.responses",
      "openai.completions",
      "openai.embeddings",
      "openai.moderations",
      "openai.models",
      "openai.realtime",
      "anthropic.count_tokens",
      "gemini.generate_content",
      "gemini.embed_content",
      "gemini.count_tokens",
      "aws.bedrock.invoke_model",
      "aws.bedrock.converse",
      "ollama.chat",
      "ollama.generate",
      "ollama.embed",
      "ollama.tags",
      "llamacpp.completion",
  };
  return kNames.at(static_cast<std::size_t>(api));
}

std::optional<ApiRoute> find_route(std::string_view method, std::string_view target) {
  std::string_view path = target.substr(0, target.find_first_of("?#"));
  if (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  if (method == "POST") return find_post(path);
  if (method != "GET") return std::nullopt;
  auto route = find_get(path);
  if (route && route->api == Api::kOpenAiRealtime) route->model = model_of_query(target);
  return route;
}

std::optional<Api> find_api(std::string_view method, std::string_view target) {
  const auto route = find_route(method, target);
  return route && !route->is_common_path ? std::optional<Api>(route->api) : std::nullopt;
}

}  // namespace aispm::codec
