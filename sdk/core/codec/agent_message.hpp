// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/codec/json_edit.hpp"
#include "sdk/core/codec/jsonrpc.hpp"
#include "sdk/core/codec/llm.hpp"
#include "sdk/core/common/result.hpp"

// What agents say to tools (MCP, sessions of 2024-11-05 to 2025-11-25 and the stateless 2026-07-28)
// and to each other (A2A 0.x and 1.0), whatever carries it: HTTP bodies, server-sent events, lines
// of a pipe. Functions are thread-safe; each thread keeps its own scratch memory.
namespace aispm::codec {

// Tools, prompts or skills of one list; more are counted but not described.
inline constexpr std::size_t kMaxListedTools = 4096;

enum class AgentProtocol : std::uint8_t {
  kUnknown,  // JSON-RPC whose words alone tell neither ("ping", a bare result): the connection's
             // other messages do
  kMcp,
  kA2a,
};
// "", "mcp", "a2a": what McpCall.protocol holds.
std::string_view name_of(AgentProtocol protocol);

// Who a side claims to be. Nobody checks it.
struct Party {
  std::string name;
  std::string version;
};

// One tool of a list, or one skill of an agent card.
struct ToolDefinition {
  std::string name;
  // SHA-256 of canonical JSON (see canonical_json()): of the definition without its schemas and
  // _meta (so title, description, annotations), and of {"inputSchema","outputSchema"}. Whatever a
  // model is told of a tool is in one of the two.
  std::string description_sha256;
  std::string schema_sha256;
};

struct ToolList {
  std::vector<ToolDefinition> tools;  // in the list's order
  bool has_more = false;              // nextCursor: other pages hold the rest
  bool is_cut = false;                // more than kMaxListedTools
};

// One message. Move-only. Views and spans refer to the text it was parsed from; texts with escapes
// to `decoded`.
struct AgentMessage {
  AgentProtocol protocol = AgentProtocol::kUnknown;
  RpcKind kind = RpcKind::kRequest;
  std::string id;      // see RpcMessage::id
  std::string method;  // requests and notifications
  // tools/call: the tool. prompts/get: the prompt. resources/*: the URI. A2A: the task.
  std::string target;
  // What the call carries: params.arguments (tools/call, prompts/get), params.message (A2A), else
  // params; hash of its canonical JSON. Empty when there is none.
  JsonSpan arguments;
  std::string arguments_sha256;
  JsonSpan result;  // kResult
  std::string result_sha256;
  // "complete" or "input_required" (2026-07-28), task states of A2A ("completed", ...), else empty.
  std::string result_type;
  // A JSON-RPC error, a tool result with isError, a failed or rejected task.
  bool is_error = false;
  std::int64_t error_code = 0;
  std::string error_message;
  // initialize (what the client asks, what the server chose), server/discover (the newest of what
  // the server supports), _meta of every 2026-07-28 request.
  std::string protocol_version;
  Party client;
  Party server;
  std::optional<ToolList> tools;  // result of tools/list
  bool tools_changed = false;     // notifications/tools/list_changed
  // Texts a rule must see, with their surface: tool descriptions, arguments, results, prompts sent
  // for sampling, instructions of a server.
  std::vector<TextPart> parts;
  std::unique_ptr<char[]> decoded;
};

// One message or a batch of them (2025-03-26). kInvalid when the text is no JSON-RPC 2.0 (see
// read_rpc()), holds a repeated key anywhere or an empty batch; kTooLarge past a limit.
Result<std::vector<AgentMessage>> parse_agent_messages(std::string_view text);

// A tool list's identity: SHA-256 over all names and hashes sorted by name.
std::string tool_list_sha256(const ToolList& list);

struct AgentCard {
  Party agent;
  std::string protocol_version;  // of A2A; empty when the card names none
  std::string url;               // of the agent's preferred interface
  std::string provider;          // organisation
  std::vector<ToolDefinition> skills;
  std::string sha256;  // of the canonical card without its signatures
};
// GET of /.well-known/agent-card.json (1.0) or /.well-known/agent.json (0.x), any query.
bool is_agent_card_path(std::string_view target);
// kInvalid when the body is no JSON object with a name and skills; kTooLarge past a limit.
Result<AgentCard> parse_agent_card(std::string_view body);

}  // namespace aispm::codec
