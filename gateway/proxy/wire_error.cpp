// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/wire_error.hpp"

#include <array>

#include "gateway/proxy/pipeline/explain.hpp"
#include "sdk/core/codec/json_edit.hpp"

namespace aispm::gateway {
namespace {

struct Form {
  int status;
  std::string_view reason;
  std::string_view code;
  std::string_view openai_type;
  std::string_view anthropic_type;
};

constexpr std::array<Form, 21> kForms = {{
    {400, "Bad Request", "", "invalid_request_error", "invalid_request_error"},
    {400, "Bad Request", "aispm_bad_request", "invalid_request_error", "invalid_request_error"},
    {401, "Unauthorized", "invalid_api_key", "invalid_request_error", "authentication_error"},
    {404, "Not Found", "unknown_url", "invalid_request_error", "not_found_error"},
    {405, "Method Not Allowed", "method_not_supported", "invalid_request_error",
     "invalid_request_error"},
    {408, "Request Timeout", "aispm_request_timeout", "invalid_request_error", "timeout_error"},
    {413, "Payload Too Large", "aispm_too_large", "invalid_request_error", "request_too_large"},
    {415, "Unsupported Media Type", "aispm_unsupported_encoding", "invalid_request_error",
     "invalid_request_error"},
    {431, "Request Header Fields Too Large", "aispm_headers_too_large", "invalid_request_error",
     "invalid_request_error"},
    {502, "Bad Gateway", "aispm_upstream_unavailable", "server_error", "api_error"},
    {503, "Service Unavailable", "aispm_not_recorded", "server_error", "api_error"},
    {503, "Service Unavailable", "aispm_overloaded", "server_error", "overloaded_error"},
    {504, "Gateway Timeout", "aispm_upstream_timeout", "server_error", "timeout_error"},
    {503, "Service Unavailable", "aispm_not_ready", "server_error", "overloaded_error"},
    {403, "Forbidden", "aispm_frozen", "permission_error", "permission_error"},
    {429, "Too Many Requests", "rate_limit_exceeded", "requests", "rate_limit_error"},
    {429, "Too Many Requests", "budget_exceeded", "insufficient_quota", "billing_error"},
    {403, "Forbidden", "model_not_approved", "permission_error", "permission_error"},
    {503, "Service Unavailable", "aispm_circuit_open", "server_error", "overloaded_error"},
    {403, "Forbidden", "aispm_forbidden", "permission_error", "permission_error"},
    {499, "Client Closed Request", "aispm_client_gone", "invalid_request_error",
     "invalid_request_error"},
}};

// Anthropic's API has a status of its own for money.
constexpr Form kBilling = {402, "Payment Required", "budget_exceeded", "insufficient_quota",
                           "billing_error"};

const Form& form_of(RefusalKind kind, Dialect dialect) {
  if (kind == RefusalKind::kBudget && dialect == Dialect::kAnthropic) return kBilling;
  return kForms.at(static_cast<std::size_t>(kind));
}

// A header value from trusted words; anything else would be a bug that must not split the reply.
std::string header_safe(std::string_view text) {
  std::string safe;
  for (char c : text)
    if (c >= ' ' && c < '\x7f') safe.push_back(c);
  return safe;
}

}  // namespace

Refusal make_refusal(RefusalKind kind, std::string_view message) {
  return {.kind = kind, .message = "AISPM: " + std::string(message), .decision = {}, .case_id = {}};
}

int status_of(RefusalKind kind, Dialect dialect) { return form_of(kind, dialect).status; }

std::string code_of(const Refusal& refusal) {
  if (refusal.kind == RefusalKind::kPolicy) return "aispm_" + refusal.decision;
  return std::string(form_of(refusal.kind, Dialect::kOpenAi).code);
}

namespace {

// As a member of an object that has others.
std::string blocked_member(const Refusal& refusal) {
  return refusal.blocked ? R"(,"blocked":)" + block_json(*refusal.blocked) : std::string();
}

// Google's canonical word for an HTTP status.
std::string_view google_status(int status) {
  switch (status) {
    case 401:
      return "UNAUTHENTICATED";
    case 403:
      return "PERMISSION_DENIED";
    case 404:
      return "NOT_FOUND";
    case 405:
    case 501:
      return "UNIMPLEMENTED";
    case 402:
    case 429:
      return "RESOURCE_EXHAUSTED";
    case 409:
      return "ABORTED";
    case 408:
    case 504:
      return "DEADLINE_EXCEEDED";
    default:
      return status < 500 ? "INVALID_ARGUMENT" : "UNAVAILABLE";
  }
}

std::string gemini_error(const Refusal& refusal) {
  const int status = status_of(refusal.kind, Dialect::kGemini);
  std::string body =
      R"({"error":{"code":)" + std::to_string(status) + R"(,"message":)" +
      codec::json_string(refusal.message) + R"(,"status":")" + std::string(google_status(status)) +
      R"(","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":)" +
      codec::json_string(code_of(refusal)) + R"(,"domain":"aispm")";
  std::string metadata;
  if (!refusal.case_id.empty()) metadata = R"("case_id":)" + codec::json_string(refusal.case_id);
  // Its values are strings.
  if (refusal.blocked)
    for (const auto& [name, value] : block_words(*refusal.blocked))
      metadata += (metadata.empty() ? "\"" : ",\"") + name + "\":" + codec::json_string(value);
  if (!metadata.empty()) body += R"(,"metadata":{)" + metadata + "}";
  return body + "}]}}";
}

}  // namespace

std::string error_body(Dialect dialect, const Refusal& refusal) {
  const Form& form = form_of(refusal.kind, dialect);
  std::string body;
  if (dialect == Dialect::kGemini) return gemini_error(refusal);
  if (dialect == Dialect::kOllama)
    return R"({"error":)" + codec::json_string(refusal.message) + blocked_member(refusal) + "}";
  if (dialect == Dialect::kOpenAi) {
    body = R"({"error":{"message":)";
    body += codec::json_string(refusal.message);
    body.append(R"(,"type":")").append(form.openai_type).append(R"(","param":null,"code":)");
    body += codec::json_string(code_of(refusal));
    body += blocked_member(refusal);
    body += "}}";
    return body;
  }
  body = R"({"type":"error","error":{"type":")";
  body.append(form.anthropic_type).append(R"(","message":)");
  body += codec::json_string(refusal.message);
  body += R"(,"details":{"error_code":)";
  body += codec::json_string(code_of(refusal));
  body += blocked_member(refusal);
  body += "}}";
  if (!refusal.case_id.empty()) {
    body += R"(,"request_id":)";
    body += codec::json_string(refusal.case_id);
  }
  body += "}";
  return body;
}

std::string error_reply(Dialect dialect, const Refusal& refusal, bool keep_alive, bool with_body) {
  const Form& form = form_of(refusal.kind, dialect);
  const std::string body = error_body(dialect, refusal);
  std::string reply =
      "HTTP/1.1 " + std::to_string(form.status) + " " + std::string(form.reason) +
      "\r\ncontent-type: application/json\r\ncontent-length: " + std::to_string(body.size()) +
      "\r\n";
  if (form.status < 500 && refusal.kind != RefusalKind::kRateLimited)
    reply += "x-should-retry: false\r\n";
  reply += refusal.headers;
  if (refusal.retry_after_seconds > 0)
    reply += "retry-after: " + std::to_string(refusal.retry_after_seconds) + "\r\n";
  if (!refusal.decision.empty()) {
    reply += "x-aispm-decision: " + header_safe(refusal.decision) +
             "\r\nx-aispm-case: " + header_safe(refusal.case_id) + "\r\n";
  }
  if (refusal.kind == RefusalKind::kUnauthenticated) reply += "www-authenticate: Bearer\r\n";
  if (refusal.kind == RefusalKind::kMethod) reply += "allow: GET, HEAD, POST\r\n";
  reply += keep_alive ? "connection: keep-alive\r\n\r\n" : "connection: close\r\n\r\n";
  if (with_body) reply += body;
  return reply;
}

std::string json_reply(std::string_view body, bool keep_alive, bool with_body) {
  std::string reply =
      "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: " +
      std::to_string(body.size()) +
      (keep_alive ? "\r\nconnection: keep-alive\r\n\r\n" : "\r\nconnection: close\r\n\r\n");
  if (with_body) reply += body;
  return reply;
}

}  // namespace aispm::gateway
