// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sdk/core/codec/agent_message.hpp"
#include "sdk/core/codec/sse.hpp"

// How HTTP carries MCP.
namespace aispm::codec {

// Header values of one request; empty when absent. The names are http1 header names (any case).
struct McpHeaders {
  std::string_view protocol_version = {};  // MCP-Protocol-Version
  std::string_view session_id = {};        // Mcp-Session-Id (until 2025-11-25)
  std::string_view method = {};            // Mcp-Method (2026-07-28)
  std::string_view name = {};              // Mcp-Name (2026-07-28)
};

// Puts the value in its place when `name` is one of them.
void take_mcp_header(std::string_view name, std::string_view value, McpHeaders& headers);

// The plain text of a header value: =?base64?...?= is decoded; nullopt when that is malformed.
std::optional<std::string> decode_mcp_header(std::string_view value);

// `text` (UTF-8) as such a value: itself where a header can carry it unchanged, else encoded.
std::string encode_mcp_header(std::string_view text);

// Whether the headers that a 2026-07-28 request must carry say what its body says. Bodies of older
// versions have no such headers, so they match when none is sent. A router that trusts headers and
// a server that trusts bodies must not be told two things.
bool headers_match(const McpHeaders& headers, const AgentMessage& message);

// The old HTTP+SSE transport (2024-11-05): the URI that a server tells its client to post to, else
// nullopt.
std::optional<std::string_view> sse_endpoint(const SseEvent& event);

}  // namespace aispm::codec
