// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "gateway/mcp/mcp_request.hpp"
#include "gateway/mcp/server_link.hpp"
#include "sdk/core/codec/mcp_http.hpp"
#include "sdk/core/codec/sse.hpp"

// What the parts of ServerLink know alike of its transport.
namespace aispm::gateway {

inline bool is_stream(const codec::http1::Head& head) {
  const std::string_view type = head.content_type.substr(0, head.content_type.find(';'));
  return codec::http1::equal_name(type, "text/event-stream");
}

inline bool is_json(const codec::http1::Head& head) {
  const std::string_view type = head.content_type.substr(0, head.content_type.find(';'));
  return codec::http1::equal_name(type, "application/json");
}

// The id of a session or of an event: it goes back to the server in a header.
inline bool is_header_token(std::string_view id) {
  constexpr std::size_t kMaxBytes = 256;
  return id.size() <= kMaxBytes &&
         std::all_of(id.begin(), id.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

// Events of other types are no messages: servers send `ping` and the like to keep a stream alive.
inline bool is_message(const codec::SseEvent& event) {
  return event.has_data && !event.data.empty() && (event.event.empty() || event.event == "message");
}

inline bool is_stateless(const ServerSession& session) { return session.version == kMcpStateless; }

// The headers in which 2026-07-28 repeats what the body says.
inline std::string mirror_lines(const ServerAsk& what) {
  std::string lines = "mcp-method: " + what.method + "\r\n";
  if (!what.name.empty()) lines += "mcp-name: " + codec::encode_mcp_header(what.name) + "\r\n";
  return lines + what.header_lines;
}

}  // namespace aispm::gateway
