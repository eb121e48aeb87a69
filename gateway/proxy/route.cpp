// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/route.hpp"

#include <algorithm>
#include <array>

namespace aispm::gateway {
namespace {

using codec::Api;

struct Model {
  std::string_view path;
  Api api;
};

// Requests to models; all are POSTs.
constexpr std::array kModelPaths = {
    Model{"/v1/chat/completions", Api::kOpenAiChat},
    Model{"/v1/completions", Api::kOpenAiCompletions},
    Model{"/v1/responses", Api::kOpenAiResponses},
    Model{"/v1/embeddings", Api::kOpenAiEmbeddings},
    Model{"/v1/moderations", Api::kOpenAiModerations},
    Model{"/v1/messages", Api::kAnthropicMessages},
    Model{"/v1/messages/count_tokens", Api::kAnthropicCountTokens},
    Model{"/api/chat", Api::kOllamaChat},
    Model{"/api/generate", Api::kOllamaGenerate},
    Model{"/api/embed", Api::kOllamaEmbed},
    Model{"/api/embeddings", Api::kOllamaEmbed},  // before Ollama 0.3; many clients still
};

// At Azure's paths, too, which AzureOpenAI of OpenAI's SDKs speaks: the first behind the name of a
// deployment ("/openai/deployments/NAME/chat/completions"), the others behind "/openai". All say
// `?api-version=`.
constexpr std::array<std::string_view, 3> kAtDeployments = {"/v1/chat/completions",
                                                            "/v1/completions", "/v1/embeddings"};
constexpr std::array<std::string_view, 2> kAtAzure = {"/v1/responses", "/v1/models"};
constexpr std::string_view kVendor = "/openai";
constexpr std::string_view kVersion = "/v1";

struct Served {
  std::string_view path;
  std::string_view method;
  RouteKind kind;
  Dialect dialect;
};

constexpr std::array kServed = {
    Served{"/api/tags", "GET", RouteKind::kModels, Dialect::kOllama},
    Served{"/api/version", "GET", RouteKind::kModels, Dialect::kOllama},
    Served{"/api/ps", "GET", RouteKind::kModels, Dialect::kOllama},
    Served{"/api/show", "POST", RouteKind::kModels, Dialect::kOllama},
    Served{"/aispm/v1/agent-events", "POST", RouteKind::kAgentEvents, Dialect::kOpenAi},
    Served{"/aispm/v1/events", "POST", RouteKind::kRunEvents, Dialect::kOpenAi},
    Served{"/aispm/v1/hello", "GET", RouteKind::kHello, Dialect::kOpenAi},
    Served{"/aispm/v1/freeze", "GET", RouteKind::kRunFreeze, Dialect::kOpenAi},
    Served{"/aispm/v1/decide", "POST", RouteKind::kDecide, Dialect::kOpenAi},
    Served{"/aispm/v1/screen", "POST", RouteKind::kScreen, Dialect::kOpenAi},
    Served{"/aispm/v1/screen/batch", "POST", RouteKind::kScreenBatch, Dialect::kOpenAi},
    Served{"/aispm/v1/categories", "GET", RouteKind::kScreenCategories, Dialect::kOpenAi},
    Served{"/aispm/v1/limits", "GET", RouteKind::kLimits, Dialect::kOpenAi},
    Served{"/api/v1/scan/input", "POST", RouteKind::kScanInput, Dialect::kOpenAi},
    Served{"/api/v1/scan/output", "POST", RouteKind::kScanOutput, Dialect::kOpenAi},
    Served{"/api/v1/scans", "GET", RouteKind::kScans, Dialect::kOpenAi},
    Served{"/api/v1/threats", "GET", RouteKind::kThreats, Dialect::kOpenAi},
    Served{"/healthz", "GET", RouteKind::kHealth, Dialect::kOpenAi},
    Served{"/live", "GET", RouteKind::kLive, Dialect::kOpenAi},
    Served{"/ready", "GET", RouteKind::kReady, Dialect::kOpenAi},
    Served{"/openapi.json", "GET", RouteKind::kApiDocument, Dialect::kOpenAi},
    Served{"/docs", "GET", RouteKind::kApiPage, Dialect::kOpenAi},
};

// Google's custom methods: "/v1beta/models/NAME:VERB".
struct GeminiVerb {
  std::string_view name;
  Api api;
  bool streams;
};
constexpr std::array kGeminiVerbs = {
    GeminiVerb{"generateContent", Api::kGeminiGenerate, false},
    GeminiVerb{"streamGenerateContent", Api::kGeminiGenerate, true},
    GeminiVerb{"countTokens", Api::kGeminiCountTokens, false},
    GeminiVerb{"embedContent", Api::kGeminiEmbed, false},
    GeminiVerb{"batchEmbedContents", Api::kGeminiEmbed, false},
};
constexpr std::string_view kGeminiModels = "/v1beta/models";

constexpr std::array<std::string_view, 7> kPaging = {"limit", "after",    "after_id", "before_id",
                                                     "order", "pageSize", "pageToken"};
constexpr std::size_t kMaxValueBytes = 64;

bool is_word(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_' || c == '.' || c == ':';
  });
}

// What Google's generated clients (google-generativeai, google-ai-generativelanguage) say over
// REST: words of enumerations come as numbers.
bool asks_for_numbers(std::string_view name, std::string_view value) {
  return (name == "$alt" && value == "json;enum-encoding=int") ||
         (name == "%24alt" && value == "json%3Benum-encoding%3Dint");
}

// Azure's clients say it, and nothing beside it. It stays here: what a provider is told is
// configured.
bool is_azure_version(std::string_view query) {
  constexpr std::string_view kName = "api-version=";
  return query.starts_with(kName) && query.size() <= kName.size() + kMaxValueBytes &&
         is_word(query.substr(kName.size()));
}

// Query parameters are forwarded unscanned, so only known ones with short plain values may pass.
bool is_allowed_query(const Route& route, std::string_view query) {
  const RouteKind kind = route.kind;
  if (is_azure_version(query)) return route.dialect == Dialect::kOpenAi;
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const auto equals = pair.find('=');
    const std::string_view name = pair.substr(0, equals);
    const std::string_view value =
        equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1);
    const bool beta = kind == RouteKind::kLlm && name == "beta" && value == "true";
    const bool form = kind == RouteKind::kLlm && route.dialect == Dialect::kGemini &&
                      name == "alt" && (value == "json" || (value == "sse" && route.streams));
    const bool paging = kind == RouteKind::kModels &&
                        std::find(kPaging.begin(), kPaging.end(), name) != kPaging.end() &&
                        value.size() <= kMaxValueBytes && is_word(value);
    const bool numbers = route.dialect == Dialect::kGemini && asks_for_numbers(name, value);
    if (!beta && !form && !paging && !numbers) return false;
  }
  return true;
}

// Names are forwarded unscanned, too.
bool is_model_path(std::string_view path, std::string_view models = "/v1/models") {
  if (!path.starts_with(models)) return false;
  const std::string_view rest = path.substr(models.size());
  return rest.empty() || (rest.front() == '/' && rest.size() > 1 && rest.size() <= 128 &&
                          is_word(rest.substr(1)) && rest.find("..") == std::string_view::npos);
}

// A model's name within a path: OpenAI-compatible servers have some with slashes in them, which
// clients send as they are or as %2F ("meta-llama%2FLlama-3-8b").
bool is_name_in_path(std::string_view rest) {
  constexpr std::size_t kMaxName = 128;
  if (rest.size() > kMaxName || rest.find("..") != std::string_view::npos) return false;
  while (true) {
    const std::size_t end =
        std::min({rest.find('/'), rest.find("%2F"), rest.find("%2f"), rest.size()});
    if (end == 0 || !is_word(rest.substr(0, end))) return false;
    if (end == rest.size()) return true;
    rest.remove_prefix(end + (rest[end] == '/' ? 1 : 3));
  }
}

// GET of one model.
bool is_path_of_model(std::string_view path) {
  constexpr std::string_view kModels = "/v1/models/";
  return path.starts_with(kModels) && is_name_in_path(path.substr(kModels.size()));
}

// Where the path is Azure's, it becomes OpenAI's own, and the route says the deployment.
void find_azure(Route& route) {
  constexpr std::string_view kDeployments = "/openai/deployments/";
  for (const std::string_view path : kAtAzure)
    if (route.path.starts_with(kVendor) &&
        route.path.substr(kVendor.size()) == path.substr(kVersion.size())) {
      route.path = path;
      return;
    }
  if (!route.path.starts_with(kDeployments)) return;
  const std::string_view rest = route.path.substr(kDeployments.size());
  for (const std::string_view path : kAtDeployments) {
    const std::string_view last = path.substr(kVersion.size());
    if (!rest.ends_with(last)) continue;
    const std::string_view name = rest.substr(0, rest.size() - last.size());
    if (!is_name_in_path(name)) return;
    route.model = name;
    route.path = path;
    return;
  }
}

// True when the path is one of Gemini's methods; then the route says which.
bool find_gemini(std::string_view path, Route& route) {
  if (!is_model_path(path) && !is_model_path(path, kGeminiModels)) return false;
  const auto slash = path.rfind('/');
  const auto colon = path.rfind(':');
  if (colon == std::string_view::npos || colon < slash + 2) return false;
  for (const GeminiVerb& verb : kGeminiVerbs) {
    if (verb.name != path.substr(colon + 1)) continue;
    route.kind = RouteKind::kLlm;
    route.api = verb.api;
    route.dialect = Dialect::kGemini;
    route.model = path.substr(slash + 1, colon - slash - 1);
    route.streams = verb.streams;
    return true;
  }
  return false;
}

}  // namespace

std::vector<RouteEntry> all_routes() {
  std::vector<RouteEntry> routes;
  for (const Model& model : kModelPaths) routes.push_back({"POST", model.path, RouteKind::kLlm});
  for (const Served& served : kServed) routes.push_back({served.method, served.path, served.kind});
  for (const RouteEntry& other :
       {RouteEntry{"GET", "/", RouteKind::kRoot},
        RouteEntry{"GET", "/v1/models", RouteKind::kModels},
        RouteEntry{"GET", "/v1/models/{model}", RouteKind::kModels},
        RouteEntry{"GET", "/v1beta/models", RouteKind::kModels},
        RouteEntry{"GET", "/v1beta/models/{model}", RouteKind::kModels},
        RouteEntry{"POST", "/v1beta/models/{model}:generateContent", RouteKind::kLlm},
        RouteEntry{"POST", "/v1beta/models/{model}:streamGenerateContent", RouteKind::kLlm},
        RouteEntry{"POST", "/v1beta/models/{model}:countTokens", RouteKind::kLlm},
        RouteEntry{"POST", "/v1beta/models/{model}:embedContent", RouteKind::kLlm},
        RouteEntry{"POST", "/v1beta/models/{model}:batchEmbedContents", RouteKind::kLlm},
        RouteEntry{"POST", "/openai/deployments/{model}/chat/completions", RouteKind::kLlm},
        RouteEntry{"POST", "/openai/deployments/{model}/completions", RouteKind::kLlm},
        RouteEntry{"POST", "/openai/deployments/{model}/embeddings", RouteKind::kLlm},
        RouteEntry{"POST", "/openai/responses", RouteKind::kLlm},
        RouteEntry{"GET", "/openai/models", RouteKind::kModels},
        RouteEntry{"GET", "/mcp", RouteKind::kMcp},
        RouteEntry{"POST", "/mcp", RouteKind::kMcp},
        RouteEntry{"DELETE", "/mcp", RouteKind::kMcp},
        RouteEntry{"GET", "/.well-known/oauth-protected-resource", RouteKind::kMcpMetadata},
        RouteEntry{"GET", "/.well-known/oauth-protected-resource/mcp", RouteKind::kMcpMetadata}})
    routes.push_back(other);
  return routes;
}

std::string_view query_objection(std::string_view query) {
  for (const std::string_view key : {"?key=", "&key=", "?api_key=", "&api_key="})
    if (query.find(key) != std::string_view::npos)
      return "a key does not belong into the URL, where it is logged: send it as x-goog-api-key or "
             "Authorization: Bearer";
  return "a query parameter that is not allowed";
}

std::string_view without_vendor(std::string_view target) {
  if (target.starts_with(kVendor) && target.substr(kVendor.size()).starts_with("/v1/"))
    target.remove_prefix(kVendor.size());
  return target;
}

std::string model_in_path(std::string_view name) {
  std::string model;
  while (!name.empty()) {
    const bool is_slash = name.starts_with("%2F") || name.starts_with("%2f");
    model.push_back(is_slash ? '/' : name.front());
    name.remove_prefix(is_slash ? 3 : 1);
  }
  return model;
}

std::string_view path_objection(std::string_view path) {
  constexpr std::array<std::string_view, 6> kWithoutVersion = {
      "/chat/completions", "/completions", "/responses", "/embeddings", "/messages", "/models"};
  if (std::find(kWithoutVersion.begin(), kWithoutVersion.end(), path) != kWithoutVersion.end())
    return "nothing is served at this path: the base URL of this client ends in /v1";
  if (path.starts_with("/v1/v1/"))
    return "nothing is served at this path: the base URL of this client does not end in /v1";
  return "nothing is served at this path";
}

Route find_route(std::string_view method, std::string_view target, bool speaks_anthropic) {
  const auto mark = target.find('?');
  Route route;
  route.path = target.substr(0, mark);
  route.query = mark == std::string_view::npos ? std::string_view{} : target.substr(mark);
  find_azure(route);
  route.dialect = speaks_anthropic ? Dialect::kAnthropic : Dialect::kOpenAi;
  // Also for what is not served: what manages Ollama's models, say.
  if (route.path.starts_with("/api/")) route.dialect = Dialect::kOllama;
  if (route.path.starts_with("/api/v1/")) route.dialect = Dialect::kOpenAi;  // our own
  if (route.path.starts_with("/v1beta/")) route.dialect = Dialect::kGemini;
  std::string_view allowed;
  if (route.path == "/") {
    route.kind = RouteKind::kRoot;
    allowed = method == "HEAD" ? "HEAD" : "GET";
  } else if (find_gemini(route.path, route)) {
    allowed = "POST";
  } else if (is_model_path(route.path) || is_model_path(route.path, kGeminiModels) ||
             is_path_of_model(route.path)) {
    route.kind = RouteKind::kModels;
    allowed = "GET";
  }
  if (route.path == "/mcp") {
    route.kind = RouteKind::kMcp;
    allowed = method;
  }
  if (route.path == "/.well-known/oauth-protected-resource" ||
      route.path == "/.well-known/oauth-protected-resource/mcp") {
    route.kind = RouteKind::kMcpMetadata;
    allowed = "GET";
  }
  for (const Served& served : kServed) {
    if (served.path != route.path) continue;
    route.kind = served.kind;
    allowed = served.method;
    if (served.kind == RouteKind::kModels) route.dialect = served.dialect;
  }
  for (const Model& model : kModelPaths) {
    if (model.path != route.path) continue;
    route.kind = RouteKind::kLlm;
    route.api = model.api;
    route.dialect = dialect_of(model.api);
    allowed = "POST";
  }
  if (route.kind == RouteKind::kNotFound) return route;
  if (method != allowed) route.kind = RouteKind::kBadMethod;
  const std::string_view parameters = route.query.empty() ? route.query : route.query.substr(1);
  const bool forwarded = route.kind == RouteKind::kLlm || route.kind == RouteKind::kModels;
  if (forwarded && !is_allowed_query(route, parameters)) route.kind = RouteKind::kBadQuery;
  if (forwarded && is_azure_version(parameters)) route.query = {};
  return route;
}

}  // namespace aispm::gateway
