// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace aispm::codec {

// What a body is in. Servers that speak one of these dialects (Mistral, vLLM, llama.cpp, LM Studio,
// Azure, Vertex and many more) are the same Api: classify tells whose they are by their host.
enum class Api : std::uint8_t {
  kOpenAiChat,
  kAnthropicMessages,  // also Anthropic on Vertex (rawPredict)
  kOpenAiResponses,
  kOpenAiCompletions,  // the legacy one: "prompt"; also Mistral's fill-in-the-middle
  kOpenAiEmbeddings,
  kOpenAiModerations,
  kOpenAiModels,    // GET, no body; also Anthropic's list
  kOpenAiRealtime,  // WebSocket messages: realtime sessions, and Responses over a socket
  kAnthropicCountTokens,
  kGeminiGenerate,  // generateContent and streamGenerateContent, also Vertex and Code Assist
  kGeminiEmbed,
  kGeminiCountTokens,
  kBedrockInvoke,  // a body in the model vendor's own dialect
  kBedrockConverse,
  kOllamaChat,
  kOllamaGenerate,
  kOllamaEmbed,
  kOllamaTags,          // GET, no body
  kLlamaCppCompletion,  // llama.cpp's own /completion and /infill
};
inline constexpr std::size_t kApiCount = static_cast<std::size_t>(Api::kLlamaCppCompletion) + 1;

// "openai.chat", "anthropic.messages", "gemini.generate_content", "aws.bedrock.converse", ...
std::string_view name_of(Api api);

// What a request line says.
struct ApiRoute {
  Api api = Api::kOpenAiChat;
  // Named by the path (Gemini, Bedrock, Azure deployments), percent-decoded; else empty.
  std::string model = {};
  // The path says that the reply is a stream.
  bool streams = false;
  // Everybody's path ("/api/chat", "/embeddings"): it is this API only when parse_request() takes
  // the body.
  bool is_common_path = false;
};

// The API that a request line means, whatever the prefix (".../v1/chat/completions", Azure's
// "/openai/deployments/x/chat/completions?api-version=...", ".../v1/messages?beta=true"); nullopt
// for anything else. A GET of kOpenAiRealtime is meant only when it upgrades to a WebSocket.
std::optional<ApiRoute> find_route(std::string_view method, std::string_view target);

// The same for paths that only one API has.
std::optional<Api> find_api(std::string_view method, std::string_view target);

}  // namespace aispm::codec
