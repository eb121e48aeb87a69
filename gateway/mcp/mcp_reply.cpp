// SPDX-License-Identifier: Apache-2.0
#include "gateway/mcp/mcp_reply.hpp"

#include <algorithm>

#include "gateway/mcp/mcp_names.hpp"
#include "sdk/core/codec/json_edit.hpp"

namespace aispm::gateway {
namespace {

using codec::json_string;

// Lists are asked for again when a session needs them; a model's client may keep one briefly.
constexpr std::string_view kCaching = "\"ttlMs\":5000,\"cacheScope\":\"private\"";

std::string own_info(std::string_view own_version) {
  return "{\"name\":\"aispm-gateway\",\"version\":" + json_string(own_version) + "}";
}

std::string capabilities_of(const McpOffers& offers) {
  const auto flags = [](bool changes, bool subscribe) {
    std::string json = changes ? "\"listChanged\":true" : "";
    if (subscribe) json.append(changes ? "," : "").append("\"subscribe\":true");
    return "{" + json + "}";
  };
  std::string json = "{\"tools\":" + flags(offers.tools_change, false) + ",\"logging\":{}";
  if (offers.prompts) json += ",\"prompts\":" + flags(offers.prompts_change, false);
  if (offers.resources)
    json += ",\"resources\":" + flags(offers.resources_change, offers.subscribe);
  if (offers.prompts || offers.resources) json += ",\"completions\":{}";
  return json + "}";
}

std::string instructions_member(std::string_view instructions) {
  return instructions.empty() ? "" : ",\"instructions\":" + json_string(instructions);
}

std::string_view reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    default:
      return "Service Unavailable";
  }
}

}  // namespace

std::string mcp_result(const McpMessage& to, std::string_view result, bool has_type) {
  std::string json = "{\"jsonrpc\":\"2.0\",\"id\":" + to.id + ",\"result\":";
  if (!to.is_stateless || has_type) return json.append(result).append("}");
  json += "{\"resultType\":\"complete\"";
  const std::string_view rest = result.substr(1);
  const bool is_empty = rest.find_first_not_of(" \t\r\n") == rest.rfind('}');
  return json.append(is_empty ? "" : ",").append(rest).append("}");
}

std::string mcp_error(std::string_view id, int code, std::string_view message,
                      std::string_view data) {
  std::string json = "{\"jsonrpc\":\"2.0\",\"id\":";
  json.append(id.empty() ? std::string_view("null") : id)
      .append(",\"error\":{\"code\":" + std::to_string(code) + ",\"message\":")
      .append(json_string(message));
  if (!data.empty()) json.append(",\"data\":").append(data);
  return json + "}}";
}

std::string mcp_instructions(std::string_view server, std::string_view text) {
  std::string words = "The MCP server " + std::string(server) +
                      " (its tools and prompts are named " + prefixed_name(server, "...") +
                      " here) says:\n";
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of("\r\n"), text.size());
    words.append("> ").append(text.substr(0, end)).push_back('\n');
    text.remove_prefix(end);
    text.remove_prefix(text.starts_with("\r\n") ? 2 : std::min<std::size_t>(text.size(), 1));
  }
  return words;
}

std::string mcp_initialized(std::string_view agreed, std::string_view own_version,
                            const McpOffers& offers, std::string_view instructions) {
  return "{\"protocolVersion\":" + json_string(agreed) +
         ",\"capabilities\":" + capabilities_of(offers) +
         ",\"serverInfo\":" + own_info(own_version) + instructions_member(instructions) + "}";
}

std::string mcp_discovered(std::string_view own_version, const McpOffers& offers,
                           std::string_view instructions) {
  return "{\"supportedVersions\":[" + json_string(kMcpStateless) +
         "],\"capabilities\":" + capabilities_of(offers) + instructions_member(instructions) + "," +
         std::string(kCaching) +
         ",\"_meta\":{\"io.modelcontextprotocol/serverInfo\":" + own_info(own_version) + "}}";
}

std::string mcp_list(const McpMessage& to, std::string_view key,
                     const std::vector<std::string>& items) {
  std::string json = "{" + json_string(key) + ":[";
  for (std::size_t i = 0; i < items.size(); ++i) json.append(i == 0 ? "" : ",").append(items[i]);
  json += "]";
  if (to.is_stateless) json.append(",").append(kCaching);
  return json + "}";
}

std::string no_server_answer(const Error& why) {
  // Where it sends requests is the server's word, and for its operator.
  if (why.code == Errc::kUnsupported) return "AISPM: the server cannot be used as it is configured";
  const bool has_answered = why.code == Errc::kInvalid || why.code == Errc::kTooLarge;
  return (has_answered ? "AISPM: what the server answered cannot be used: "
                       : "AISPM: the server did not answer: ") +
         why.message;
}

std::string mcp_tool_error(std::string_view words) {
  return "{\"content\":[{\"type\":\"text\",\"text\":" + json_string(words) + "}],\"isError\":true}";
}

std::string mcp_input_required(std::string_view case_id, std::string_view words,
                               std::string_view link) {
  return "{\"resultType\":\"input_required\",\"inputRequests\":{" + json_string(case_id) +
         ":{\"method\":\"elicitation/create\",\"params\":{\"mode\":\"url\",\"message\":" +
         json_string(words) + ",\"elicitationId\":" + json_string(case_id) +
         ",\"url\":" + json_string(link) + "}}}}";
}

std::string mcp_http(const McpHttp& http, std::string_view body) {
  std::string text = "HTTP/1.1 " + std::to_string(http.status) + " ";
  text.append(reason_of(http.status)).append("\r\n");
  if (!body.empty()) text += "content-type: application/json\r\n";
  if (!http.session_id.empty()) text.append("mcp-session-id: ").append(http.session_id + "\r\n");
  if (http.status == 401) text += "www-authenticate: " + http.challenge + "\r\n";
  if (http.status == 405) text += "allow: GET, POST, DELETE\r\n";
  if (http.status != 204) text += "content-length: " + std::to_string(body.size()) + "\r\n";
  text += http.keep_alive ? "connection: keep-alive\r\n\r\n" : "connection: close\r\n\r\n";
  return text.append(body);
}

}  // namespace aispm::gateway
