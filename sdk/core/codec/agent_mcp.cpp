// SPDX-License-Identifier: Apache-2.0
// MCP: the words of sessions (2024-11-05 to 2025-11-25) and of the stateless 2026-07-28.
#include <algorithm>
#include <array>

#include "sdk/core/codec/agent_internal.hpp"

namespace aispm::codec {
namespace {

constexpr std::size_t kNone = JsonTree::kNone;
constexpr std::string_view kMetaVersion = "io.modelcontextprotocol/protocolVersion";
constexpr std::string_view kMetaClient = "io.modelcontextprotocol/clientInfo";
constexpr std::string_view kMetaServer = "io.modelcontextprotocol/serverInfo";

// Methods that no other JSON-RPC protocol of an agent has.
constexpr std::array<std::string_view, 23> kMethods = {
    "tools/list",
    "tools/call",
    "resources/list",
    "resources/read",
    "resources/templates/list",
    "resources/subscribe",
    "resources/unsubscribe",
    "prompts/list",
    "prompts/get",
    "completion/complete",
    "logging/setLevel",
    "sampling/createMessage",
    "elicitation/create",
    "roots/list",
    "server/discover",
    "subscriptions/listen",
    "tasks/result",
    "notifications/initialized",
    "notifications/cancelled",
    "notifications/progress",
    "notifications/message",
    "notifications/roots/list_changed",
    "notifications/elicitation/complete",
};

std::size_t meta_of(const JsonTree& tree, std::size_t node) {
  return node == kNone ? kNone : tree.find(node, "_meta");
}

bool is_mcp_call(const JsonTree& tree, const RpcMessage& rpc) {
  const std::string_view method = rpc.method;
  if (std::find(kMethods.begin(), kMethods.end(), method) != kMethods.end()) return true;
  if (method.starts_with("notifications/tools/") ||
      method.starts_with("notifications/resources/") ||
      method.starts_with("notifications/prompts/") || method.starts_with("notifications/tasks/") ||
      method.starts_with("notifications/subscriptions/"))
    return true;
  if (rpc.params == kNone) return false;
  // Editors' language servers have an "initialize" too, without a protocol version.
  if (method == "initialize") return !tree.string_at(rpc.params, "protocolVersion").empty();
  // A2A has tasks/get and tasks/cancel too; its tasks are named by "id".
  if (method.starts_with("tasks/") && tree.find(rpc.params, "taskId") != kNone) return true;
  const std::size_t meta = meta_of(tree, rpc.params);
  return meta != kNone && tree.find(meta, kMetaVersion) != kNone;
}

void read_call(AgentReader& reader) {
  const JsonTree& tree = reader.tree;
  const std::size_t params = reader.rpc.params;
  AgentMessage& message = reader.message;
  const std::string_view method = reader.rpc.method;
  message.tools_changed = method == "notifications/tools/list_changed";
  if (params == kNone) return;
  if (method == "initialize") {
    message.protocol_version = short_copy(tree.string_at(params, "protocolVersion"));
    message.client = reader.party(tree.find(params, "clientInfo"));
  }
  if (const std::size_t meta = meta_of(tree, params); meta != kNone) {
    if (const auto version = tree.string_at(meta, kMetaVersion); !version.empty())
      message.protocol_version = short_copy(version);
    if (const std::size_t client = tree.find(meta, kMetaClient); client != kNone)
      message.client = reader.party(client);
  }
  if (method == "tools/call" || method == "prompts/get") {
    message.target = short_copy(tree.string_at(params, "name"));
    reader.set_arguments(tree.find(params, "arguments"));
  } else {
    message.target = short_copy(tree.string_at(params, "uri"));
    if (message.target.empty()) message.target = short_copy(tree.string_at(params, "taskId"));
    reader.set_arguments(params);
  }
  const bool asks_model = method == "sampling/createMessage";
  const bool asks_user = method == "elicitation/create";
  tree.each_member(params, [&](const JsonNode& key, std::size_t value) {
    Surface surface = method == "tools/call" ? Surface::kToolArguments : Surface::kOther;
    if (asks_model && key.text == "messages") surface = Surface::kPrompt;
    if (asks_model && key.text == "systemPrompt") surface = Surface::kSystem;
    if (asks_model && key.text == "tools") surface = Surface::kToolDescription;
    // A server's question comes from the tool's side.
    if (asks_user && key.text == "message") surface = Surface::kToolResult;
    if (key.text != "_meta") reader.add_all(value, surface);
  });
}

// What a bare result must have to be one of MCP's.
bool is_mcp_result(const JsonTree& tree, std::size_t result) {
  if (result == kNone || tree[result].kind != JsonKind::kObject) return false;
  const auto kind_of = [&](std::string_view key) {
    const std::size_t node = tree.find(result, key);
    return node == kNone ? JsonKind::kNull : tree[node].kind;
  };
  if (kind_of("protocolVersion") == JsonKind::kString &&
      kind_of("capabilities") == JsonKind::kObject && kind_of("serverInfo") == JsonKind::kObject)
    return true;
  if (kind_of("supportedVersions") == JsonKind::kArray &&
      kind_of("capabilities") == JsonKind::kObject)
    return true;
  if (const auto type = tree.string_at(result, "resultType");
      type == "complete" || type == "input_required")
    return true;
  if (const std::size_t meta = meta_of(tree, result);
      meta != kNone && tree.find(meta, kMetaServer) != kNone)
    return true;
  for (const std::string_view list :
       {"tools", "prompts", "resources", "resourceTemplates", "contents"})
    if (kind_of(list) == JsonKind::kArray) return true;
  // A tool's answer: content blocks that name their type.
  const std::size_t content = tree.find(result, "content");
  bool has_type = content != kNone && tree[content].kind == JsonKind::kArray;
  tree.each_element(content, [&](std::size_t block, std::size_t) {
    has_type = has_type && !tree.string_at(block, "type").empty();
  });
  return has_type;
}

void read_result(AgentReader& reader) {
  const JsonTree& tree = reader.tree;
  const std::size_t result = reader.rpc.result;
  AgentMessage& message = reader.message;
  message.result_type = short_copy(tree.string_at(result, "resultType"));
  message.protocol_version = short_copy(tree.string_at(result, "protocolVersion"));
  tree.each_element(tree.find(result, "supportedVersions"), [&](std::size_t version, std::size_t) {
    const std::string_view text = tree[version].text;
    if (tree[version].is_string() && text > message.protocol_version)
      message.protocol_version = short_copy(text);
  });
  if (const std::size_t meta = meta_of(tree, result); meta != kNone)
    message.server = reader.party(tree.find(meta, kMetaServer));
  if (const std::size_t server = tree.find(result, "serverInfo"); server != kNone)
    message.server = reader.party(server);
  if (const std::size_t is_error = tree.find(result, "isError"); is_error != kNone)
    message.is_error = tree[is_error].kind == JsonKind::kTrue;
  const std::size_t tools = tree.find(result, "tools");
  if (tools != kNone && tree[tools].kind == JsonKind::kArray) {
    ToolList list;
    read_tools(tree, tools, "name", list.tools, list.is_cut);
    list.has_more = !tree.string_at(result, "nextCursor").empty();
    message.tools = std::move(list);
  }
  const bool is_list = tools != kNone || tree.find(result, "prompts") != kNone ||
                       tree.find(result, "instructions") != kNone;
  tree.each_member(result, [&](const JsonNode& key, std::size_t value) {
    if (key.text != "_meta" && key.text != "nextCursor")
      reader.add_all(value, is_list ? Surface::kToolDescription : Surface::kToolResult);
  });
  reader.set_result(result);
}

}  // namespace

bool read_mcp(AgentReader& reader) {
  const RpcMessage& rpc = reader.rpc;
  if (rpc.kind == RpcKind::kError) return false;
  const bool is_mcp = rpc.kind == RpcKind::kResult ? is_mcp_result(reader.tree, rpc.result)
                                                   : is_mcp_call(reader.tree, rpc);
  if (!is_mcp) return false;
  reader.message.protocol = AgentProtocol::kMcp;
  if (rpc.kind == RpcKind::kResult) {
    read_result(reader);
  } else {
    read_call(reader);
  }
  return true;
}

}  // namespace aispm::codec
