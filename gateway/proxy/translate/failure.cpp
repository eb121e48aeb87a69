// SPDX-License-Identifier: Apache-2.0
// Errors: every protocol's shape in, the client's out.
#include <algorithm>
#include <array>

#include "gateway/proxy/dialect.hpp"
#include "gateway/proxy/translate/json_writer.hpp"
#include "gateway/proxy/translate/reply_forms.hpp"

namespace aispm::gateway::translate {

using codec::JsonKind;
using codec::JsonTree;

namespace {

constexpr std::array<std::string_view, 11> kAnthropicTypes = {
    "invalid_request_error", "authentication_error",
    "billing_error",         "permission_error",
    "not_found_error",       "request_too_large",
    "conflict_error",        "rate_limit_error",
    "timeout_error",         "api_error",
    "overloaded_error"};

std::string_view anthropic_type(int status, const Failure& failure) {
  switch (status) {
    case 400:
    case 422:
      return "invalid_request_error";
    case 401:
      return "authentication_error";
    case 402:
      return "billing_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 408:
    case 504:
      return "timeout_error";
    case 409:
      return "conflict_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    case 503:
    case 529:
      return "overloaded_error";
    default:
      break;
  }
  const auto same = std::find(kAnthropicTypes.begin(), kAnthropicTypes.end(), failure.type);
  return same != kAnthropicTypes.end() ? *same : std::string_view("api_error");
}

}  // namespace

std::optional<Failure> read_failure(const JsonTree& tree) {
  const std::size_t error = tree.find(0, "error");
  if (error == JsonTree::kNone || tree[error].kind == JsonKind::kNull) return std::nullopt;
  Failure failure;
  if (tree[error].is_string()) {
    failure.message = tree[error].text;
    return failure;
  }
  failure.type = tree.string_at(error, "type");
  failure.message = tree.string_at(error, "message");
  const std::size_t code = tree.find(error, "code");
  if (code != JsonTree::kNone && tree[code].kind != JsonKind::kNull) failure.code = tree[code].text;
  // Google's word for it says more than its number.
  if (const std::string_view word = tree.string_at(error, "status"); !word.empty())
    failure.code = word;
  if (failure.message.empty()) failure.message = "the provider names no reason";
  return failure;
}

namespace {

// Google's words for statuses of HTTP.
std::string_view google_status(int status) {
  switch (status) {
    case 400:
    case 422:
      return "INVALID_ARGUMENT";
    case 401:
      return "UNAUTHENTICATED";
    case 402:
    case 403:
      return "PERMISSION_DENIED";
    case 404:
      return "NOT_FOUND";
    case 429:
      return "RESOURCE_EXHAUSTED";
    case 408:
    case 504:
      return "DEADLINE_EXCEEDED";
    case 503:
    case 529:
      return "UNAVAILABLE";
    default:
      return "INTERNAL";
  }
}

}  // namespace

std::string write_failure(codec::Api client, int status, const Failure& failure) {
  JsonWriter to;
  to.begin_object();
  switch (dialect_of(client)) {
    case Dialect::kOllama:
      return to.member("error", failure.message).end_object().take();
    case Dialect::kAnthropic: {
      const std::string& code = failure.code.empty() ? failure.type : failure.code;
      to.member("type", "error").key("error").begin_object();
      to.member("type", anthropic_type(status, failure)).member("message", failure.message);
      if (!code.empty()) to.key("details").begin_object().member("error_code", code).end_object();
      return to.end_object().end_object().take();
    }
    case Dialect::kGemini: {
      const int code = status == 0 ? 500 : status;
      to.key("error").begin_object().key("code").number(static_cast<std::uint64_t>(code));
      to.member("message", failure.message).member("status", google_status(code));
      return to.end_object().end_object().take();
    }
    default:
      break;
  }
  to.key("error").begin_object().member("message", failure.message);
  to.member("type", !failure.type.empty()        ? std::string_view(failure.type)
                    : status > 0 && status < 500 ? std::string_view("invalid_request_error")
                                                 : std::string_view("server_error"));
  to.raw_member("param", "null").key("code");
  if (failure.code.empty())
    to.raw("null");
  else
    to.text(failure.code);
  return to.end_object().end_object().take();
}

}  // namespace aispm::gateway::translate
