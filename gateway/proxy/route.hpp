// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/proxy/dialect.hpp"

namespace aispm::gateway {

enum class RouteKind : std::uint8_t {
  kLlm,               // POST: a request to a model; `api` says in what form
  kModels,            // lists of models and one of them; POST /api/show
  kAgentEvents,       // POST /aispm/v1/agent-events
  kRunEvents,         // POST /aispm/v1/events: aispm-run only
  kHello,             // GET /aispm/v1/hello: aispm-run only
  kRunFreeze,         // GET /aispm/v1/freeze: aispm-run only, answered for as long as it listens
  kScreen,            // POST /aispm/v1/screen
  kScreenBatch,       // POST /aispm/v1/screen/batch
  kScreenCategories,  // GET /aispm/v1/categories
  kDecide,            // POST /aispm/v1/decide: policy about one action
  kMcp,               // any method /mcp: its own protocol says which
  kMcpMetadata,       // GET where RFC 9728 tells who says which agent a client of /mcp is
  kLimits,            // GET /aispm/v1/limits: what the caller has left
  kScanInput,         // POST /api/v1/scan/input
  kScanOutput,        // POST /api/v1/scan/output
  kScans,             // GET /api/v1/scans
  kThreats,           // GET /api/v1/threats
  kHealth,            // GET /healthz
  kLive,              // GET /live
  kReady,             // GET /ready
  kApiDocument,       // GET /openapi.json
  kApiPage,           // GET /docs
  kRoot,              // GET or HEAD /: clients ask whether anybody is there
  kNotFound,
  kBadMethod,
  kBadQuery,  // a parameter that is not a known protocol word
};

struct Route {
  RouteKind kind = RouteKind::kNotFound;
  Dialect dialect = Dialect::kOpenAi;  // in which errors are said; for kLlm and kModels also spoken
  codec::Api api = codec::Api::kOpenAiChat;  // kLlm
  std::string_view model = {};               // kLlm of Gemini and Azure: named by the path
  bool streams = false;                      // Gemini: likewise
  std::string_view path;                     // OpenAI's own where the client's is Azure's
  std::string_view query;  // with "?", allowed parameters only; what the upstream may see
};

// What find_route() knows, for descriptions: `{...}` in a path stands for one part.
struct RouteEntry {
  std::string_view method;
  std::string_view path;
  RouteKind kind;
};
std::vector<RouteEntry> all_routes();

// The one table of what is served. Views into `target`, but for a path that is not the client's
// own. `speaks_anthropic`: the client sent an anthropic-version header, which tells both dialects'
// /v1/models apart.
Route find_route(std::string_view method, std::string_view target, bool speaks_anthropic);

// What a client is told of a query for which find_route() gave kBadQuery.
std::string_view query_objection(std::string_view query);

// The target without "/openai" before OpenAI's own paths, where Groq's SDK always puts it, and base
// URLs that were Azure's end in it.
std::string_view without_vendor(std::string_view target);

// The model that Route::model means: slashes may be escaped there.
std::string model_in_path(std::string_view name);

// What a client is told of a path for which find_route() gave kNotFound.
std::string_view path_objection(std::string_view path);

}  // namespace aispm::gateway
