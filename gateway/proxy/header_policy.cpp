// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/header_policy.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "gateway/net/proxy_header.hpp"

namespace aispm::gateway {
namespace {

using codec::http1::equal_name;
using codec::http1::Header;

constexpr std::array<std::string_view, 2> kOpenAiRequest = {"openai-beta", "idempotency-key"};
constexpr std::array<std::string_view, 3> kAnthropicRequest = {"anthropic-version",
                                                               "anthropic-beta", "idempotency-key"};
constexpr std::array<std::string_view, 10> kReply = {
    "content-type",   "cache-control",  "x-request-id",   "request-id",           "retry-after",
    "retry-after-ms", "x-should-retry", "openai-version", "openai-processing-ms", "openai-model"};
constexpr std::array<std::string_view, 3> kKeys = {"x-api-key", "x-goog-api-key", "api-key"};
constexpr std::array<std::string_view, 6> kIdentity = {"authorization",   "x-api-key",
                                                       "x-goog-api-key",  "api-key",
                                                       "x-aispm-session", "x-correlation-id"};
// Bit n: one of the names has n letters. Most headers have another number.
template <std::size_t N>
constexpr std::uint32_t sizes_of(const std::array<std::string_view, N>& names) {
  std::uint32_t sizes = 0;
  for (const std::string_view name : names) sizes |= 1U << name.size();
  return sizes;
}
constexpr std::uint32_t kReplySizes = sizes_of(kReply);
constexpr std::uint32_t kIdentitySizes = sizes_of(kIdentity);
constexpr std::array<std::string_view, 2> kReplyPrefixes = {"x-ratelimit-", "anthropic-ratelimit-"};

// Request headers are free text: what is forwarded unscanned must be short protocol words.
constexpr std::size_t kMaxRequestValueBytes = 512;

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::any_of(names.begin(), names.end(),
                     [&](std::string_view allowed) { return equal_name(allowed, name); });
}

void append_line(const Header& header, std::string& out) {
  out.append(header.name).append(": ").append(header.value).append("\r\n");
}

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace

void append_request_headers(Dialect dialect, std::span<const Header> headers, std::string& out) {
  bool has_version = false;
  for (const Header& header : headers) {
    const bool allowed =
        (dialect == Dialect::kOpenAi && contains(kOpenAiRequest, header.name)) ||
        (dialect == Dialect::kAnthropic && contains(kAnthropicRequest, header.name));
    if (!allowed || header.value.size() > kMaxRequestValueBytes) continue;
    append_line(header, out);
    has_version = has_version || equal_name(header.name, "anthropic-version");
  }
  if (dialect == Dialect::kAnthropic && !has_version) out += "anthropic-version: 2023-06-01\r\n";
}

void append_reply_headers(std::span<const Header> headers, std::string& out) {
  for (const Header& header : headers) {
    const bool prefixed =
        std::any_of(kReplyPrefixes.begin(), kReplyPrefixes.end(), [&](std::string_view prefix) {
          return header.name.size() > prefix.size() &&
                 equal_name(header.name.substr(0, prefix.size()), prefix);
        });
    const std::size_t size = header.name.size();
    const bool may_be_known = size < 32 && (kReplySizes >> size & 1U) != 0;
    if (prefixed || (may_be_known && contains(kReply, header.name))) append_line(header, out);
  }
}

std::string_view presented_key(const codec::http1::Head& head) {
  std::string_view key;
  for (const std::string_view name : kKeys) {
    const std::string_view shown = head.find(name).value_or(std::string_view{});
    if (!key.empty() && !shown.empty() && key != shown) return {};
    if (key.empty()) key = shown;
  }
  std::string_view bearer = head.find("authorization").value_or(std::string_view{});
  const bool is_bearer = bearer.size() > 7 && equal_name(bearer.substr(0, 7), "bearer ");
  bearer = is_bearer ? bearer.substr(7) : std::string_view{};
  if (key.empty() || bearer.empty() || key == bearer) return key.empty() ? bearer : key;
  return {};
}

std::string_view find_doubled_identity(const codec::http1::Head& head) {
  std::array<std::optional<std::string_view>, kIdentity.size()> seen;
  for (const Header& header : head.headers) {
    const std::size_t size = header.name.size();
    if (size >= 32 || (kIdentitySizes >> size & 1U) == 0) continue;
    for (std::size_t i = 0; i < kIdentity.size(); ++i) {
      if (!equal_name(kIdentity[i], header.name)) continue;
      if (seen[i] && *seen[i] != header.value) return kIdentity[i];
      seen[i] = header.value;
    }
  }
  return {};
}

bool parse_traceparent(std::string_view value, TraceParent& parent) {
  if (value.size() != 55 || !value.starts_with("00-") || value[35] != '-' || value[52] != '-')
    return false;
  const std::string_view trace = value.substr(3, 32);
  const std::string_view span = value.substr(36, 16);
  if (!net::is_trace_id(trace) || !is_hex(span) ||
      span.find_first_not_of('0') == std::string_view::npos)
    return false;
  if (!is_hex(value.substr(53))) return false;
  parent = {trace, span};
  return true;
}

}  // namespace aispm::gateway
