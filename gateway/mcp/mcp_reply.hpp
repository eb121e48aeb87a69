// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/mcp/mcp_request.hpp"

// What the gateway's MCP endpoint says. Pure: JSON texts of whole JSON-RPC messages.
namespace aispm::gateway {

// `result`: a JSON object. For 2026-07-28 it gets a resultType unless it has one.
std::string mcp_result(const McpMessage& to, std::string_view result, bool has_type = false);
std::string mcp_error(std::string_view id, int code, std::string_view message,
                      std::string_view data = {});

// What the endpoint has for one agent.
struct McpOffers {
  bool prompts = false;
  bool resources = false;
  // Some server tells of these.
  bool tools_change = false;
  bool prompts_change = false;
  bool resources_change = false;
  bool subscribe = false;
};

// What one server tells models of itself, under its name. Each line is marked as the server's, so
// that none can speak in the name of another.
std::string mcp_instructions(std::string_view server, std::string_view text);

// Results. `instructions`: of all servers, "" = none.
std::string mcp_initialized(std::string_view agreed, std::string_view own_version,
                            const McpOffers& offers, std::string_view instructions);
std::string mcp_discovered(std::string_view own_version, const McpOffers& offers,
                           std::string_view instructions);
// A list, `key`: "tools", of JSON objects. What one agent may see is not for others' caches.
std::string mcp_list(const McpMessage& to, std::string_view key,
                     const std::vector<std::string>& items);
// Why there is no answer of a server that could be passed on.
std::string no_server_answer(const Error& why);
// A tool call that failed, in words for the model.
std::string mcp_tool_error(std::string_view words);
// 2026-07-28: somebody has to open a page before the call can go on.
std::string mcp_input_required(std::string_view case_id, std::string_view words,
                               std::string_view link);

// An answer with a body, or without one ("").
struct McpHttp {
  int status = 200;
  std::string session_id = {};  // Mcp-Session-Id; "" = none
  bool keep_alive = true;
  std::string challenge = "Bearer";  // of 401
};
std::string mcp_http(const McpHttp& http, std::string_view body);

}  // namespace aispm::gateway
