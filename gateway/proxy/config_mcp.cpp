// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "gateway/proxy/config_detect.hpp"

namespace aispm::gateway {
namespace {

constexpr std::size_t kMaxServerName = 32;
constexpr std::size_t kMaxPath = 256;

// It stands before `__` in the names of tools, so it has no `_`.
bool is_server_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxServerName &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}

bool is_path(std::string_view path) {
  return path.starts_with('/') && path.size() <= kMaxPath &&
         std::all_of(path.begin(), path.end(),
                     [](char c) { return c > ' ' && c < '\x7f' && c != '#'; });
}

McpServerConfig read_server(const YamlMap& map) {
  McpServerConfig server;
  server.endpoint.name = map.required_text("name");
  if (!is_server_name(server.endpoint.name))
    map.reject("name", "1 to 32 of a-z, 0-9 and -, because it prefixes the names of tools");
  read_endpoint(map, server.endpoint);
  server.path = map.text("path", server.path);
  if (!is_path(server.path)) map.reject("path", "a path of visible ASCII, beginning with /");
  server.agents = map.texts("agents");
  if (server.agents.empty()) map.reject("agents", "names nobody who may use this server");
  server.tools = map.has("tools") ? map.texts("tools") : std::vector<std::string>{"*"};
  server.call = map.duration("call", server.call);
  server.list_age = map.duration("list_age", server.list_age);
  return server;
}

}  // namespace

McpConfig read_mcp(const YamlMap& map) {
  McpConfig mcp;
  for (const YamlMap& one : map.maps("servers")) {
    McpServerConfig server = read_server(one);
    for (const McpServerConfig& other : mcp.servers)
      if (other.endpoint.name == server.endpoint.name)
        one.reject("name", "server '" + server.endpoint.name + "' is given twice");
    mcp.servers.push_back(std::move(server));
  }
  if (mcp.servers.size() > McpConfig::kMaxServers) map.reject("servers", "more than 64 servers");
  mcp.origins = map.texts("origins");
  mcp.sessions = static_cast<std::size_t>(map.integer("sessions", 4096, {1, 1'000'000}));
  mcp.agent_sessions = static_cast<std::size_t>(map.integer("agent_sessions", 64, {1, 100'000}));
  mcp.session_idle = map.duration("session_idle", mcp.session_idle);
  return mcp;
}

}  // namespace aispm::gateway
