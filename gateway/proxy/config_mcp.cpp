// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <iterator>
#include <utility>

#include "gateway/mcp/web/web_config.hpp"
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

// What the gateway says itself cannot carry a key.
bool is_header(std::string_view name) {
  constexpr std::string_view kOwn[] = {
      "accept",       "accept-encoding", "connection", "content-length",
      "content-type", "expect",          "host",       "te",
      "trailer",      "upgrade",         "user-agent", "transfer-encoding"};
  std::string lower(name);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return !lower.empty() && lower.size() <= kMaxServerName * 2 && !lower.starts_with("mcp-") &&
         std::all_of(lower.begin(), lower.end(),
                     [](char c) {
                       return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
                              c == '_';
                     }) &&
         std::find(std::begin(kOwn), std::end(kOwn), lower) == std::end(kOwn);
}

McpServerConfig read_server(const YamlMap& map) {
  McpServerConfig server;
  server.endpoint.name = map.required_text("name");
  if (!is_server_name(server.endpoint.name))
    map.reject("name", "1 to 32 of a-z, 0-9 and -, because it prefixes the names of tools");
  if (server.endpoint.name == kWebServer)
    map.reject("name", "the gateway's own tools have this name");
  read_endpoint(map, server.endpoint);
  server.path = map.text("path", server.path);
  if (!is_path(server.path)) map.reject("path", "a path of visible ASCII, beginning with /");
  if (map.has("header")) {
    server.key_header = map.text("header", "");
    if (!is_header(server.key_header))
      map.reject("header", "the name of a header for the key, none that HTTP or MCP uses itself");
    if (!map.has("key_file") && !map.has("key_env"))
      map.reject("header", "only with key_file or key_env");
    server.key = std::exchange(server.endpoint.key, Secret());
  }
  server.agents = map.texts("agents");
  if (server.agents.empty()) map.reject("agents", "names nobody who may use this server");
  server.tools = map.has("tools") ? map.texts("tools") : std::vector<std::string>{"*"};
  server.prompts = map.texts("prompts");
  server.resources = map.texts("resources");
  server.grants = map.texts("grants");
  for (const std::string& grant : server.grants)
    if (grant != "sampling" && grant != "elicitation" && grant != "roots")
      map.reject("grants", "'" + grant + "' is none of sampling, elicitation, roots");
  server.call = map.duration("call", server.call);
  server.list_age = map.duration("list_age", server.list_age);
  return server;
}

// Of scopes and URLs, which stand within quotes in a header.
bool is_token(std::string_view text) {
  return !text.empty() && text.size() <= kMaxPath &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return c > ' ' && c < '\x7f' && c != '"' && c != '\\'; });
}

McpAuthorization read_authorization(const YamlMap& map) {
  McpAuthorization said;
  said.resource = map.required_text("resource");
  const bool is_url = said.resource.starts_with("https://") || said.resource.starts_with("http://");
  if (!is_token(said.resource) || !is_url || !said.resource.ends_with("/mcp") ||
      said.resource.find_first_of("?#") != std::string::npos)
    map.reject("resource", "the URL at which clients reach this endpoint: https://.../mcp");
  said.servers = map.texts("servers");
  if (said.servers.empty() || !std::all_of(said.servers.begin(), said.servers.end(), is_token))
    map.reject("servers", "the issuers of tokens: URLs, at least one");
  said.scopes = map.texts("scopes");
  if (!std::all_of(said.scopes.begin(), said.scopes.end(), is_token))
    map.reject("scopes", "visible ASCII without quotes");
  said.keys = read_keys(map, "keys");
  if (said.keys.empty()) map.reject("keys", "no file of a public key: no token could be good");
  said.agent = map.text("agent", said.agent);
  return said;
}

policy::Mode read_mode(const YamlMap& map, const std::string& key) {
  const std::string said = map.choice(key, "monitor", {"off", "monitor", "enforce"});
  if (said == "off") return policy::Mode::kOff;
  return said == "enforce" ? policy::Mode::kEnforce : policy::Mode::kMonitor;
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
  if (map.has("web")) mcp.servers.push_back(read_web(map.map("web"), mcp));
  if (mcp.servers.size() > McpConfig::kMaxServers) map.reject("servers", "more than 64 servers");
  mcp.origins = map.texts("origins");
  mcp.sessions = static_cast<std::size_t>(map.integer("sessions", 4096, {1, 1'000'000}));
  mcp.subscriptions = static_cast<std::size_t>(map.integer("subscriptions", 256, {0, 10'000}));
  mcp.agent_sessions = static_cast<std::size_t>(map.integer("agent_sessions", 64, {1, 100'000}));
  mcp.session_idle = map.duration("session_idle", mcp.session_idle);
  mcp.asked_by_model = read_mode(map, "asked_by_model");
  mcp.asked_within = map.duration("asked_within", mcp.asked_within);
  if (map.has("authorization")) mcp.authorization = read_authorization(map.map("authorization"));
  return mcp;
}

}  // namespace aispm::gateway
