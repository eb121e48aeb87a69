// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "gateway/mcp/web/web_config.hpp"
#include "gateway/net/dial.hpp"
#include "gateway/proxy/config_detect.hpp"

namespace aispm::gateway {
namespace {

constexpr std::size_t kMaxPlace = 260;

FetchConfig read_fetch(const YamlMap& map) {
  FetchConfig fetch;
  fetch.hosts = map.texts("hosts");
  fetch.deny_hosts = map.texts("deny_hosts");
  fetch.private_hosts = map.texts("private_hosts");
  for (const std::string& place : fetch.private_hosts)
    if (place.find(':') == std::string::npos || place.size() > kMaxPlace)
      map.reject("private_hosts", "'" + place + "' is no host:port");
  fetch.time = map.duration("time", fetch.time);
  fetch.characters = static_cast<std::size_t>(map.integer("characters", 4000, {100, 1'000'000}));
  fetch.bytes = map.size_bytes("bytes", fetch.bytes, 64U << 20);
  auto tls = net::make_tls_context(map.text("ca_file", ""));
  if (tls)
    fetch.tls = std::move(*tls);
  else
    map.reject("ca_file", tls.error().message);
  return fetch;
}

SearchConfig read_search(const YamlMap& map, ProviderConfig& endpoint) {
  SearchConfig search;
  const bool is_tavily = map.choice("form", "tavily", {"tavily", "searxng"}) == "tavily";
  search.form = is_tavily ? SearchForm::kTavily : SearchForm::kSearxng;
  read_endpoint(map, endpoint);
  search.path = map.text("path", "/search");
  const bool is_path = search.path.starts_with('/') &&
                       std::all_of(search.path.begin(), search.path.end(),
                                   [](char c) { return c > ' ' && c < '\x7f' && c != '?'; });
  if (!is_path) map.reject("path", "a path of visible ASCII, beginning with /");
  search.results = static_cast<std::size_t>(map.integer("results", 5, {1, 50}));
  search.characters = static_cast<std::size_t>(map.integer("characters", 300, {20, 10'000}));
  search.time = map.duration("time", search.time);
  return search;
}

}  // namespace

McpServerConfig read_web(const YamlMap& map, McpConfig& mcp) {
  McpServerConfig server;
  server.endpoint.name = std::string(kWebServer);
  // Without a search engine nothing is asked there: RFC 2606 lets no such name be.
  server.endpoint.origin = "http://aispm.invalid";
  server.agents = map.texts("agents");
  if (server.agents.empty()) map.reject("agents", "names nobody who may use these tools");
  server.tools = {"*"};
  WebConfig web;
  if (map.has("fetch")) web.fetch = read_fetch(map.map("fetch"));
  if (map.has("search")) web.search = read_search(map.map("search"), server.endpoint);
  if (!web.fetch && !web.search) map.reject("agents", "neither fetch nor search is configured");
  mcp.web = std::make_shared<const WebConfig>(std::move(web));
  return server;
}

}  // namespace aispm::gateway
