// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/codec/mcp_http.hpp"

#include <algorithm>

#include "sdk/core/codec/base64.hpp"
#include "sdk/core/codec/http1.hpp"

namespace aispm::codec {
namespace {

constexpr std::string_view kBase64Begin = "=?base64?";
constexpr std::string_view kBase64End = "?=";
constexpr std::string_view kStatelessVersion = "2026-07-28";

bool has_name(std::string_view method) {
  return method == "tools/call" || method == "prompts/get" || method == "resources/read";
}

}  // namespace

void take_mcp_header(std::string_view name, std::string_view value, McpHeaders& headers) {
  if (http1::equal_name(name, "mcp-protocol-version")) headers.protocol_version = value;
  if (http1::equal_name(name, "mcp-session-id")) headers.session_id = value;
  if (http1::equal_name(name, "mcp-method")) headers.method = value;
  if (http1::equal_name(name, "mcp-name")) headers.name = value;
}

std::optional<std::string> decode_mcp_header(std::string_view value) {
  if (!value.starts_with(kBase64Begin) || !value.ends_with(kBase64End) ||
      value.size() < kBase64Begin.size() + kBase64End.size())
    return std::string(value);
  value.remove_prefix(kBase64Begin.size());
  value.remove_suffix(kBase64End.size());
  return base64_decode(value);
}

std::string encode_mcp_header(std::string_view text) {
  const bool is_plain =
      !text.empty() && text.front() != ' ' && text.back() != ' ' &&
      !(text.starts_with(kBase64Begin) && text.ends_with(kBase64End)) &&
      std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < '\x7f'; });
  if (is_plain) return std::string(text);
  return std::string(kBase64Begin).append(base64_encode(text)).append(kBase64End);
}

bool headers_match(const McpHeaders& headers, const AgentMessage& message) {
  // Dates compare as text.
  const bool is_stateless =
      message.protocol_version >= kStatelessVersion && message.method != "initialize";
  if (!is_stateless && headers.method.empty() && headers.name.empty()) return true;
  if (headers.protocol_version != message.protocol_version && is_stateless) return false;
  if (headers.method != message.method) return false;
  if (!has_name(message.method)) return headers.name.empty();
  const auto name = decode_mcp_header(headers.name);
  // The target is kept cut; a longer name cannot be compared and does not match.
  return name && message.target.size() < kMaxNameBytes && *name == message.target;
}

std::optional<std::string_view> sse_endpoint(const SseEvent& event) {
  if (event.event != "endpoint" || !event.has_data || event.data.empty()) return std::nullopt;
  return event.data;
}

}  // namespace aispm::codec
