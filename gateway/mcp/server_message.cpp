// SPDX-License-Identifier: Apache-2.0
#include "gateway/mcp/server_message.hpp"

#include <limits>

#include "gateway/mcp/mcp_request.hpp"
#include "sdk/core/codec/json_edit.hpp"
#include "sdk/core/codec/json_tree.hpp"
#include "sdk/core/codec/jsonrpc.hpp"

namespace aispm::gateway {

using codec::json_string;
using codec::JsonKind;
using codec::JsonTree;
using codec::RpcKind;

std::string server_request(std::string_view id, std::string_view method, std::string_view params) {
  std::string json = "{\"jsonrpc\":\"2.0\",\"id\":";
  json.append(id).append(",\"method\":").append(json_string(method));
  if (!params.empty()) json.append(",\"params\":").append(params);
  return json + "}";
}

std::string server_notification(std::string_view method) {
  return "{\"jsonrpc\":\"2.0\",\"method\":" + json_string(method) + "}";
}

std::string server_denial(std::string_view id, std::string_view method) {
  return "{\"jsonrpc\":\"2.0\",\"id\":" + std::string(id) +
         ",\"error\":{\"code\":-32601,\"message\":" +
         json_string("AISPM: servers may not ask for " + std::string(method)) + "}}";
}

// No capabilities: nothing that a server could want of the client is granted.
std::string server_hello(std::string_view own_version) {
  return "{\"protocolVersion\":" + json_string(kMcpNewestSession) +
         ",\"capabilities\":{},\"clientInfo\":{\"name\":\"aispm-gateway\",\"version\":" +
         json_string(own_version) + "}}";
}

std::string server_call(std::string_view tool, std::string_view arguments) {
  return "{\"name\":" + json_string(tool) + ",\"arguments\":" + std::string(arguments) + "}";
}

std::string server_list(std::string_view cursor) {
  return cursor.empty() ? std::string("{}") : "{\"cursor\":" + json_string(cursor) + "}";
}

Result<ServerMessage> read_server_message(std::string_view text, std::string_view id) {
  JsonTree tree;
  AISPM_CHECK(tree.read(text, codec::kMaxRpcDepth));
  AISPM_TRY(const codec::RpcMessage rpc, codec::read_rpc(tree, text));
  ServerMessage message;
  message.method = std::string(rpc.method);
  if (rpc.kind == RpcKind::kRequest) {
    message.kind = ServerMessage::Kind::kRequest;
    message.id = rpc.id;
    return message;
  }
  if (rpc.kind == RpcKind::kNotification || rpc.id != id) return message;
  if (rpc.kind == RpcKind::kError) {
    message.kind = ServerMessage::Kind::kError;
    const bool fits = rpc.error_code >= std::numeric_limits<int>::min() &&
                      rpc.error_code <= std::numeric_limits<int>::max();
    message.error_code = fits ? static_cast<int>(rpc.error_code) : mcp_code::kInternal;
    message.error_message = std::string(rpc.error_message);
    return message;
  }
  if (tree[rpc.result].kind != JsonKind::kObject)
    return fail(Errc::kInvalid, "the result is no object");
  const std::size_t type = tree.find(rpc.result, "resultType");
  message.has_type = type != JsonTree::kNone;
  if (message.has_type && (!tree[type].is_string() || tree[type].text != "complete"))
    return fail(Errc::kInvalid, "the result is not a whole one");
  const codec::JsonSpan span = tree[rpc.result].span();
  message.kind = ServerMessage::Kind::kResult;
  message.result = std::string(text.substr(span.begin, span.size()));
  return message;
}

Result<ServerHello> read_server_hello(std::string_view result) {
  JsonTree tree;
  AISPM_CHECK(tree.read(result, codec::kMaxRpcDepth));
  ServerHello hello;
  hello.version = std::string(tree.string_at(0, "protocolVersion"));
  if (!is_mcp_session_version(hello.version))
    return fail(Errc::kUnsupported, "the server speaks a version that is not spoken here");
  const std::size_t info = tree.find(0, "serverInfo");
  if (info != JsonTree::kNone) {
    hello.name = std::string(tree.string_at(info, "name"));
    hello.own_version = std::string(tree.string_at(info, "version"));
  }
  return hello;
}

}  // namespace aispm::gateway
