// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/observe/api_document.hpp"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "gateway/proxy/observe/api_schemas.hpp"
#include "gateway/proxy/route.hpp"
#include "gateway/proxy/version.hpp"

namespace aispm::gateway {
namespace {

namespace json = boost::json;

constexpr std::array kOperatorRoutes = {
    OperatorRoute{"GET", "/health", "State, counters, losses and reasons for being degraded"},
    OperatorRoute{"GET", "/live", "200 for as long as the process serves"},
    OperatorRoute{"GET", "/ready", "200, or 503 with what is missing and why"},
    OperatorRoute{"GET", "/metrics", "Prometheus' text format"},
    OperatorRoute{"GET", "/inventory",
                  "Detection rules, judges and their fallbacks, policies, providers in force"},
    OperatorRoute{"GET", "/openapi.json", "This document"},
    OperatorRoute{"GET", "/docs", "This document as a page"},
    OperatorRoute{"GET", "/api/v1/metrics",
                  "Security metrics: rates, verdicts, threats, P50, P95 and P99"},
    OperatorRoute{"GET", "/api/v1/scans", "Scans of all tenants, newest first"},
    OperatorRoute{"GET", "/api/v1/threats", "What scans of all tenants found, newest first"},
    OperatorRoute{"GET", "/sessions", "Sessions of all tenants, the latest first"},
    OperatorRoute{"GET", "/sessions/{id}/events", "What happened in a session, in order"},
    OperatorRoute{"GET", "/api/v1/guardrails", "Guardrails of a tenant"},
    OperatorRoute{"POST", "/api/v1/guardrails", "A new guardrail, in force for the next request"},
    OperatorRoute{"GET", "/api/v1/guardrails/{id}", "One guardrail"},
    OperatorRoute{"PUT", "/api/v1/guardrails/{id}", "Replaces a guardrail"},
    OperatorRoute{"DELETE", "/api/v1/guardrails/{id}", "Takes a guardrail away"},
    OperatorRoute{"POST", "/aispm/v1/admin/reload",
                  "Loads policy, packs, keys and bundle anew; /health tells how it went"},
    OperatorRoute{"GET", "/aispm/v1/admin/providers", "Providers, and how they fare"},
    OperatorRoute{"POST", "/aispm/v1/admin/providers/reload",
                  "Providers as the configuration file says now"},
    OperatorRoute{"PUT", "/aispm/v1/admin/providers/{name}/origin",
                  "Sends a provider's requests elsewhere, until the process ends"},
    OperatorRoute{"DELETE", "/aispm/v1/admin/providers/{name}/origin",
                  "Back to where the file says"},
    OperatorRoute{"GET", "/aispm/v1/admin/rules", "Tenants that were given rules"},
    OperatorRoute{"GET", "/aispm/v1/admin/rules/{tenant}", "A tenant's pack"},
    OperatorRoute{"PUT", "/aispm/v1/admin/rules/{tenant}", "Gives a tenant a pack (YAML)"},
    OperatorRoute{"DELETE", "/aispm/v1/admin/rules/{tenant}", "Takes a tenant's pack away"},
};

struct Said {
  std::string_view path;
  std::string_view summary;
};
// What cannot be told from the route's kind.
constexpr std::array kSaid = {
    Said{"/v1/chat/completions", "OpenAI chat completions, also streamed"},
    Said{"/v1/completions", "OpenAI completions of texts, also streamed"},
    Said{"/v1/responses", "OpenAI Responses, also streamed"},
    Said{"/v1/embeddings", "OpenAI embeddings"},
    Said{"/v1/moderations", "OpenAI moderations"},
    Said{"/openai/deployments/{model}/chat/completions", "Azure's path of chat completions"},
    Said{"/openai/deployments/{model}/completions", "Azure's path of completions of texts"},
    Said{"/openai/deployments/{model}/embeddings", "Azure's path of embeddings"},
    Said{"/openai/responses", "Azure's path of Responses"},
    Said{"/openai/models", "Azure's path of models"},
    Said{"/v1/messages", "Anthropic messages, also streamed"},
    Said{"/v1/messages/count_tokens", "Anthropic's count of tokens"},
    Said{"/api/chat", "Ollama chat, streamed unless asked otherwise"},
    Said{"/api/generate", "Ollama generate, streamed unless asked otherwise"},
    Said{"/api/embed", "Ollama embeddings"},
    Said{"/api/embeddings", "Ollama embeddings, of one text"},
    Said{"/api/tags", "Ollama's models"},
    Said{"/api/version", "Ollama's version"},
    Said{"/api/ps", "Models that Ollama has loaded"},
    Said{"/api/show", "What one of Ollama's models can do"},
    Said{"/v1/models", "Models, of OpenAI or (with anthropic-version) Anthropic"},
    Said{"/v1/models/{model}", "One model"},
    Said{"/v1beta/models", "Gemini's models"},
    Said{"/v1beta/models/{model}", "One model of Gemini's"},
    Said{"/v1beta/models/{model}:generateContent", "Gemini generateContent"},
    Said{"/v1beta/models/{model}:streamGenerateContent", "Gemini generateContent, streamed"},
    Said{"/v1beta/models/{model}:countTokens", "Gemini's count of tokens"},
    Said{"/v1beta/models/{model}:embedContent", "Gemini embeddings"},
    Said{"/v1beta/models/{model}:batchEmbedContents", "Gemini embeddings, many at once"},
    Said{"/aispm/v1/limits", "What the caller has left of rates and budgets"},
    Said{"/mcp", "Model Context Protocol, streamable HTTP: all servers behind one endpoint"},
    Said{"/api/v1/scan/input", "What policy would do with a text that goes to a model"},
    Said{"/api/v1/scan/output", "What policy would do with a text that a model wrote"},
    Said{"/api/v1/scans", "The agent's own scans, newest first"},
    Said{"/api/v1/threats", "What the agent's own scans found, newest first"},
    Said{"/aispm/v1/screen", "Judges a text"},
    Said{"/aispm/v1/screen/batch", "Judges up to 64 texts"},
    Said{"/aispm/v1/categories", "The classes that texts are judged by"},
    Said{"/aispm/v1/decide", "Asks policy about one action"},
    Said{"/aispm/v1/agent-events", "Takes events of agents"},
    Said{"/aispm/v1/events", "Takes events of aispm-run; on its socket only"},
    Said{"/aispm/v1/hello", "Greets aispm-run; on its socket only"},
    Said{"/aispm/v1/freeze", "Tells aispm-run of freezes; on its socket only"},
    Said{"/healthz", "200 when rules are in force"},
    Said{"/live", "200 for as long as the process serves"},
    Said{"/ready", "200, or 503 with the names of what is missing"},
    Said{"/openapi.json", "This document"},
    Said{"/docs", "This document as a page"},
    Said{"/", "Somebody is there"},
};

std::string summary_of(const RouteEntry& route) {
  for (const Said& said : kSaid)
    if (said.path == route.path) return std::string(said.summary);
  return route.kind == RouteKind::kLlm ? "A request to a model" : std::string(route.path);
}

bool needs_key(RouteKind kind) {
  switch (kind) {
    case RouteKind::kHealth:
    case RouteKind::kRoot:
    case RouteKind::kLive:
    case RouteKind::kReady:
    case RouteKind::kApiDocument:
    case RouteKind::kApiPage:
    case RouteKind::kMcpMetadata:
      return false;
    default:
      return true;
  }
}

std::string operation_id(std::string_view method, std::string_view path, std::string_view door) {
  std::string id(door);
  for (const char c : std::string(method) + std::string(path)) {
    const bool is_plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    id.push_back(is_plain ? c : '_');
  }
  return id;
}

json::object reference(std::string_view schema) {
  return {{"$ref", "#/components/schemas/" + std::string(schema)}};
}

json::object json_content(json::object schema) {
  return {{"application/json", json::object{{"schema", std::move(schema)}}}};
}

json::array parameters_of(std::string_view path) {
  json::array parameters;
  for (auto open = path.find('{'); open != std::string_view::npos;
       open = path.find('{', open + 1)) {
    const auto close = path.find('}', open);
    parameters.push_back(json::object{{"name", path.substr(open + 1, close - open - 1)},
                                      {"in", "path"},
                                      {"required", true},
                                      {"schema", json::object{{"type", "string"}}}});
  }
  if (path.starts_with("/api/v1/guardrails"))
    parameters.push_back(json::object{{"name", "tenant"},
                                      {"in", "query"},
                                      {"description", "left out: agents whose key names none"},
                                      {"schema", json::object{{"type", "string"}}}});
  if (path.starts_with("/sessions")) {
    for (const char* const name : {"tenant", "agent", "limit", "offset"})
      parameters.push_back(json::object{
          {"name", name}, {"in", "query"}, {"schema", json::object{{"type", "string"}}}});
  }
  if (path == "/api/v1/scans" || path == "/api/v1/threats")
    for (const char* const name : {"limit", "offset", "action", "scan_type", "policy_id", "type",
                                   "rule", "severity", "since_ms", "until_ms"})
      parameters.push_back(json::object{
          {"name", name}, {"in", "query"}, {"schema", json::object{{"type", "string"}}}});
  return parameters;
}

json::object operation(std::string_view method, std::string_view path, std::string_view summary,
                       std::string_view tag, const ApiSchemas& schemas) {
  json::object out;
  out["operationId"] = operation_id(method, path, tag == "Operators" ? "operator_" : "");
  out["tags"] = json::array{tag};
  out["summary"] = summary;
  if (json::array parameters = parameters_of(path); !parameters.empty())
    out["parameters"] = std::move(parameters);
  if (method == "POST" || method == "PUT") {
    const std::string_view asked = schemas.request;
    json::object schema = asked.empty() ? json::object{{"type", "object"}} : reference(asked);
    out["requestBody"] = json::object{{"content", json_content(std::move(schema))}};
  }
  const std::string_view answered = schemas.answer;
  json::object schema = answered.empty() ? json::object{} : reference(answered);
  json::object ok{{"description", "The answer"}};
  if (path == "/metrics" || path == "/docs")
    ok["content"] = json::object{{path == "/docs" ? "text/html" : "text/plain",
                                  json::object{{"schema", json::object{{"type", "string"}}}}}};
  else
    ok["content"] = json_content(std::move(schema));
  out["responses"] =
      json::object{{schemas.status, std::move(ok)},
                   {"default", json::object{{"$ref", "#/components/responses/Error"}}}};
  return out;
}

void add(json::object& paths, std::string_view path, std::string_view method, json::object what) {
  std::string verb(method);
  for (char& c : verb) c = static_cast<char>(c - 'A' + 'a');
  json::object& item =
      paths[path].is_object() ? paths[path].get_object() : paths[path].emplace_object();
  if (!item.contains(verb)) {
    item[verb] = std::move(what);
    return;
  }
  // The same path at both doors: one description, both ways in.
  item[verb].get_object()["x-aispm-also"] = "operators";
}

json::object components() {
  json::object schemes{
      {"agentKey",
       json::object{{"type", "http"},
                    {"scheme", "bearer"},
                    {"description", "An agent's key; x-api-key and api-key carry it likewise"}}},
      {"operatorToken",
       json::object{{"type", "http"},
                    {"scheme", "bearer"},
                    {"description",
                     "Of `admin: token_file`, on the port of operators; their Unix socket asks the "
                     "kernel who it is"}}}};
  json::object error{{"description",
                      "400 malformed, or denied by policy; 401 no key; 403 frozen, or of another "
                      "tenant; 404; 405; 408; 413; 415; 431; 502 and 504 provider; 503 not ready, "
                      "not recorded or overloaded"},
                     {"content", json_content(reference("Error"))}};
  return {{"securitySchemes", std::move(schemes)},
          {"responses", json::object{{"Error", std::move(error)}}},
          {"schemas", json::parse(kApiSchemas)}};
}

std::string make_document() {
  json::object paths;
  for (const RouteEntry& route : all_routes()) {
    json::object what = operation(route.method, route.path, summary_of(route), "Agents",
                                  schemas_of(route.method, route.path));
    what["security"] = needs_key(route.kind)
                           ? json::array{json::object{{"agentKey", json::array{}}}}
                           : json::array{};
    add(paths, route.path, route.method, std::move(what));
  }
  for (const OperatorRoute& route : kOperatorRoutes) {
    json::object what = operation(route.method, route.path, route.summary, "Operators",
                                  schemas_of(route.method, route.path));
    what["security"] = json::array{json::object{{"operatorToken", json::array{}}}};
    add(paths, route.path, route.method, std::move(what));
  }
  json::object document;
  document["openapi"] = "3.1.0";
  document["info"] =
      json::object{{"title", "aispm-gateway"},
                   {"version", kVersion},
                   {"license", json::object{{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}}};
  document["tags"] =
      json::array{json::object{{"name", "Agents"}, {"description", "`listen` and `socket`"}},
                  json::object{{"name", "Operators"}, {"description", "`admin`"}}};
  document["paths"] = std::move(paths);
  document["components"] = components();
  return json::serialize(document);
}

void escape(std::string_view text, std::string& out) {
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else
      out.push_back(c);
  }
}

void add_row(std::string_view method, std::string_view path, std::string_view summary,
             std::string& page) {
  page.append("<tr><td>").append(method).append("</td><td><code>");
  escape(path, page);
  page += "</code></td><td>";
  escape(summary, page);
  page += "</td></tr>\n";
}

std::string make_page() {
  std::string page =
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>aispm-gateway</title>"
      "<style>body{font:15px sans-serif;margin:2em}td{padding:.2em 1em .2em 0}</style></head><body>"
      "<h1>aispm-gateway ";
  escape(kVersion, page);
  page +=
      "</h1><p><a href=\"/openapi.json\">/openapi.json</a> describes bodies and answers.</p>"
      "<h2>For agents</h2><p><code>Authorization: Bearer KEY</code>, <code>x-api-key</code> or "
      "<code>api-key</code></p>"
      "<table>\n";
  for (const RouteEntry& route : all_routes())
    add_row(route.method, route.path, summary_of(route), page);
  page +=
      "</table><h2>For operators</h2><p>the socket or the port of <code>admin:</code></p><table>\n";
  for (const OperatorRoute& route : kOperatorRoutes)
    add_row(route.method, route.path, route.summary, page);
  return page + "</table></body></html>\n";
}

}  // namespace

std::span<const OperatorRoute> operator_routes() { return kOperatorRoutes; }

const std::string& openapi_document() {
  static const std::string kDocument = make_document();
  return kDocument;
}

const std::string& api_page() {
  static const std::string kPage = make_page();
  return kPage;
}

}  // namespace aispm::gateway
