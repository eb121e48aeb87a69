// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/mcp/server_message.hpp"
#include "sdk/core/codec/http1.hpp"
#include "sdk/core/codec/jsonrpc.hpp"
#include "sdk/core/common/result.hpp"

// What a client of the gateway's MCP endpoint says in one POST, read strictly. Pure.
namespace aispm::gateway {

inline constexpr std::string_view kMcpStateless = "2026-07-28";
// Those with sessions, oldest first; a client that wants another gets the newest.
inline constexpr std::string_view kMcpOldestSession = "2024-11-05";
inline constexpr std::string_view kMcpUnnamedSession = "2025-03-26";  // of who sends no version
inline constexpr std::string_view kMcpMiddleSession = "2025-06-18";
inline constexpr std::string_view kMcpNewestSession = "2025-11-25";
bool is_mcp_session_version(std::string_view version);

namespace mcp_code {
inline constexpr int kParse = -32700;
inline constexpr int kInvalidRequest = -32600;
inline constexpr int kUnknownMethod = -32601;
inline constexpr int kInvalidParams = -32602;
inline constexpr int kInternal = -32603;
inline constexpr int kUnknownResource = -32002;  // until 2025-11-25
inline constexpr int kHeaderMismatch = -32020;
inline constexpr int kUnsupportedVersion = -32022;
// Of this gateway's own.
inline constexpr int kDenied = -31000;
inline constexpr int kCancelled = -31001;
}  // namespace mcp_code

// Nesting of a call's arguments, and of what is told beside them; deeper ones are refused.
inline constexpr std::size_t kMaxMcpArgumentDepth = 10;
inline constexpr std::size_t kMaxMcpMeta = 16U << 10;  // bytes told beside

// Why a message is not served: an HTTP status and a JSON-RPC error.
struct McpRefusal {
  int status = 400;
  int code = mcp_code::kInvalidRequest;
  std::string message;
  std::string data = {};  // JSON; "" = none
  std::string id = {};    // as JSON; "" = not known
};

struct McpMessage {
  codec::RpcKind kind = codec::RpcKind::kRequest;
  bool is_stateless = false;  // 2026-07-28
  std::string version;        // what the client speaks; of initialize: what it asks for
  std::string id;             // as JSON
  std::string method;
  // tools/call and prompts/get: the name; resources/read, subscribe and unsubscribe: the URI;
  // logging/setLevel: the level; notifications/cancelled: the id of what is not wanted any more, as
  // JSON
  std::string target;
  std::string arguments = "{}";  // tools/call, prompts/get: JSON text as sent
  // Likewise, and of resources/read: what the client tells the server in `_meta`, without what is
  // the protocol's own there; a JSON object, "" = nothing
  std::string meta;
  std::string progress_token;   // JSON: the client wants to hear of progress; "" = it does not
  std::string log_level;        // 2026-07-28: it wants to hear what servers log; "" = it does not
  bool has_cursor = false;      // */list
  bool asks_by_url = false;     // initialize, 2026-07-28: the client can show a person a page
  McpAbilities abilities;       // initialize, 2026-07-28
  bool is_retry = false;        // 2026-07-28: brings answers to what was asked
  std::string input_responses;  // them: a JSON object, "" = none
  std::string request_state;    // and what came along with the question
  std::string answer;           // the message itself, where it answers a request of ours
};

// What a request's head says; outlives the connection's buffer.
struct McpHead {
  std::string content_type;
  std::string accept;
  std::string version;
  std::string session_id;
  std::string method;
  std::string name;
};
McpHead take_mcp_head(const codec::http1::Head& head);
bool accepts_event_stream(const McpHead& head);

struct McpReading {
  McpMessage message;
  std::optional<McpRefusal> refusal;
};
// `body` was sent with `head`. Bodies decide; headers only may not contradict them. Halves of
// surrogate pairs become U+FFFD.
McpReading read_mcp_post(const McpHead& head, std::string_view body);

// Whether a browser's page of that origin may speak with the gateway: those of this machine, and
// those that are allowed. Without the header there is no browser.
bool is_mcp_origin_allowed(std::optional<std::string_view> origin,
                           const std::vector<std::string>& allowed);

// The version that a session speaks when the client asks for `wanted`.
std::string_view agree_on_mcp_version(std::string_view wanted);

}  // namespace aispm::gateway
