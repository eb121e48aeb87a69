// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/inventory/graph.hpp"

#include <algorithm>

#include "gateway/collector/inventory/mcp.hpp"
#include "gateway/collector/limits.hpp"

namespace aispm::collector::inventory {
namespace {

using aispm::v1::Event;
using store::Statement;

constexpr int kMaxToolsOfCall = 32;
constexpr std::size_t kMaxCachedNodes = 100'000;

// Coding agents name the tools of MCP servers "mcp__server__tool".
std::string_view plain_tool(std::string_view name) {
  if (!name.starts_with("mcp__")) return name;
  const auto end = name.find("__", 5);
  return end == std::string_view::npos || end + 2 >= name.size() ? name : name.substr(end + 2);
}

std::string endpoint(const std::string& host, std::uint32_t port) {
  return (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" +
         std::to_string(port);
}

bool is_data_class(const std::string& file_class) {
  return file_class == "sensitive" || file_class == "model" || file_class == "agent_config" ||
         file_class == "kernel_settings";
}

// Most events make none: nothing is built for them.
bool may_make_edge(Event::BodyCase body, bool has_agent) {
  switch (body) {
    case Event::kLlmCall:
    case Event::kMcpCall:
    case Event::kNameSeen:
    case Event::kSocketClose:
      return true;
    case Event::kSocketConnect:
    case Event::kFileAccess:
    case Event::kAsset:
      return has_agent;
    default:
      return false;
  }
}

Result<std::int64_t> count_rows(store::Database& database, std::string_view sql) {
  AISPM_TRY(Statement* const find, database.cached(sql));
  AISPM_TRY(const bool is_row, find->step());
  const std::int64_t count = is_row ? find->integer(0) : 0;
  find->reset();
  return count;
}

}  // namespace

std::string_view name_of(NodeKind kind) {
  constexpr std::string_view kNames[] = {"",           "agent", "program", "model",  "provider",
                                         "mcp_server", "tool",  "data",    "service"};
  const auto index = static_cast<std::size_t>(kind);
  return index < std::size(kNames) ? kNames[index] : std::string_view();
}

void Graph::join(const Node& agent, const Node& source, const Node& target, const Weight& weight) {
  if (source.name.empty() || target.name.empty() || source == target) return;
  const auto cut = [](const Node& node) {
    return Node{node.kind, std::string(cut_name(node.name))};
  };
  Use& use = edges_[{cut(agent), cut(source), cut(target), weight.host}];
  use.first = std::min(use.first, weight.time);
  use.last = std::max(use.last, weight.time);
  use.count += weight.count;
  use.bytes += weight.bytes;
  if (weight.is_risky) use.risky = std::max(use.risky, weight.time);
  if (weight.is_judged) use.judged = std::max(use.judged, weight.time);
}

void Graph::add_llm_call(const Node& actor, const Weight& weight, const Event& event) {
  const auto& call = event.llm_call();
  const std::string& name =
      call.response_model().empty() ? call.request_model() : call.response_model();
  const Node provider{NodeKind::kProvider, call.provider().empty() ? call.host() : call.provider()};
  if (name.empty()) return join(actor, actor, provider, weight);
  const Node model{NodeKind::kModel, name};
  join(actor, actor, model, weight);
  join(actor, model, provider, weight);
  Weight once = weight;
  once.bytes = 0;
  for (int i = 0; i < std::min(call.tools_called_size(), kMaxToolsOfCall); ++i)
    join(actor, model, {NodeKind::kTool, std::string(plain_tool(call.tools_called(i)))}, once);
}

void Graph::add_mcp_call(const Node& actor, const Weight& weight, const aispm::v1::McpCall& call) {
  if (call.protocol() == "a2a") {
    const std::string& peer = call.server_name().empty() ? call.server_host() : call.server_name();
    return join(actor, actor, {NodeKind::kService, peer}, weight);
  }
  const ServerIdentity identity = identify_server(call.transport(), call.server_name(),
                                                  call.server_host(), call.server_process());
  const Node server{NodeKind::kMcpServer, identity.name};
  join(actor, actor, server, weight);
  if (call.method() == "tools/call") join(actor, server, {NodeKind::kTool, call.tool()}, weight);
}

void Graph::remember(std::int64_t host, const std::string& address, const std::string& name) {
  std::string key = std::to_string(host) + '/' + address;
  const auto [found, is_new] = addresses_.insert_or_assign(key, name);
  if (is_new) address_order_.push_back(std::move(key));
  while (address_order_.size() > limits::kMaxRememberedAddresses) {
    addresses_.erase(address_order_.front());
    address_order_.pop_front();
  }
}

std::string Graph::name_of_address(std::int64_t host, const std::string& address) const {
  const auto found = addresses_.find(std::to_string(host) + '/' + address);
  return found == addresses_.end() ? std::string() : found->second;
}

void Graph::add_connection(const Node& actor, Weight weight, const Event& event) {
  const bool is_close = event.body_case() == Event::kSocketClose;
  const auto& close = event.socket_close();
  const auto& connect = event.socket_connect();
  if (!is_close && connect.outcome() == "failed") return;
  const std::string& address =
      is_close ? close.destination_address() : connect.destination_address();
  const std::uint32_t port = is_close ? close.destination_port() : connect.destination_port();
  if (address.empty()) return;
  const std::string name =
      is_close && !close.name().empty() ? close.name() : name_of_address(weight.host, address);
  const Node by_address{NodeKind::kService, endpoint(address, port)};
  const Node service = name.empty() ? by_address : Node{NodeKind::kService, endpoint(name, port)};
  if (is_close) {
    weight.bytes = close.bytes_sent() + close.bytes_received();
    weight.count = 0;                       // its connect counted
    if (close.is_open()) weight.bytes = 0;  // the last report has the whole
  }
  join(actor, actor, service, weight);
  if (!name.empty() && is_close) renamed_[{actor, actor, by_address, weight.host}] = service;
}

void Graph::add(const Concern& concern, const Event& event) {
  const bool has_agent = !event.agent_id().empty();
  if (!may_make_edge(event.body_case(), has_agent)) return;
  const Node actor = has_agent ? Node{NodeKind::kAgent, event.agent_id()}
                               : Node{NodeKind::kProgram, event.process().exe()};
  Weight weight;
  weight.host = concern.host;
  weight.time = concern.time.nanoseconds;
  weight.is_risky = is_risky(event);
  weight.is_judged = event.has_decision();
  switch (event.body_case()) {
    case Event::kLlmCall:
      weight.bytes = event.llm_call().request_bytes() + event.llm_call().response_bytes();
      if (!is_reported_by_gateway(event)) add_llm_call(actor, weight, event);
      return;
    case Event::kMcpCall:
      weight.bytes = event.mcp_call().request_bytes() + event.mcp_call().response_bytes();
      return add_mcp_call(actor, weight, event.mcp_call());
    case Event::kNameSeen:
      for (const auto& address : event.name_seen().addresses())
        remember(concern.host, address, event.name_seen().name());
      return;
    case Event::kSocketClose:
      if (!event.socket_close().name().empty())
        remember(concern.host, event.socket_close().destination_address(),
                 event.socket_close().name());
      [[fallthrough]];
    case Event::kSocketConnect:
      if (event.has_socket_connect() && !event.socket_connect().name().empty())
        remember(concern.host, event.socket_connect().destination_address(),
                 event.socket_connect().name());
      // Every program connects; only what agents reach is part of the picture.
      if (has_agent) add_connection(actor, weight, event);
      return;
    case Event::kFileAccess:
      weight.bytes = event.file_access().size_bytes();
      if (has_agent && is_data_class(event.file_access().file_class()))
        join(actor, actor, {NodeKind::kData, event.file_access().file_class()}, weight);
      return;
    case Event::kAsset:
      if (has_agent && event.asset().kind() == "vector_store" && !event.asset().gone())
        join(actor, actor, {NodeKind::kData, event.asset().name()}, weight);
      return;
    default:
      return;
  }
}

Result<std::int64_t> Graph::node(const Node& node) {
  if (const auto found = nodes_.find(node); found != nodes_.end()) return found->second;
  if (nodes_.size() >= kMaxCachedNodes) nodes_.clear();
  if (node_count_ < 0) {
    AISPM_TRY(node_count_, count_rows(database_, "SELECT COUNT(*) FROM nodes"));
  }
  AISPM_TRY(Statement* const find,
            database_.cached("SELECT ref FROM nodes WHERE kind=? AND name=?"));
  AISPM_TRY(const bool is_row, find->bind(static_cast<int>(node.kind), node.name).step());
  std::int64_t ref = is_row ? find->integer(0) : 0;
  find->reset();
  if (ref == 0 && node_count_ < limits::kMaxNodes) {
    AISPM_CHECK(run_sql(database_, "INSERT INTO nodes (kind, name) VALUES (?,?)",
                        static_cast<int>(node.kind), node.name));
    ref = database_.last_row();
    ++node_count_;
  }
  if (ref != 0) nodes_.emplace(node, ref);
  return ref;
}

Result<> Graph::write(const Edge& edge, const Use& use) {
  if (edge_count_ < 0) {
    AISPM_TRY(edge_count_, count_rows(database_, "SELECT COUNT(*) FROM edges"));
  }
  AISPM_TRY(const std::int64_t agent, node(edge.agent));
  AISPM_TRY(const std::int64_t source, node(edge.source));
  AISPM_TRY(const std::int64_t target, node(edge.target));
  if (agent == 0 || source == 0 || target == 0) {
    ++refused_;
    return {};
  }
  AISPM_CHECK(run_sql(database_,
                      "UPDATE edges SET first_seen=MIN(first_seen, ?5), last_seen=MAX(last_seen, "
                      "?6), count=count+?7, bytes=bytes+?8, risky=MAX(risky, ?9), "
                      "judged=MAX(judged, ?10) WHERE agent=?1 AND source=?2 AND target=?3 AND "
                      "host=?4",
                      agent, source, target, edge.host, use.first, use.last, use.count, use.bytes,
                      use.risky, use.judged));
  if (database_.changes() > 0) return {};
  if (edge_count_ >= limits::kMaxEdges) {
    ++refused_;
    return {};
  }
  ++edge_count_;
  return run_sql(database_,
                 "INSERT INTO edges (agent, source, target, host, first_seen, last_seen, count, "
                 "bytes, risky, judged) VALUES (?,?,?,?,?,?,?,?,?,?)",
                 agent, source, target, edge.host, use.first, use.last, use.count, use.bytes,
                 use.risky, use.judged);
}

Result<> Graph::rename(const Edge& by_address, const Node& named) {
  AISPM_TRY(const std::int64_t agent, node(by_address.agent));
  AISPM_TRY(Statement* const find,
            database_.cached("SELECT ref FROM nodes WHERE kind=? AND name=?"));
  AISPM_TRY(const bool is_row,
            find->bind(static_cast<int>(NodeKind::kService), by_address.target.name).step());
  const std::int64_t target = is_row ? find->integer(0) : 0;
  find->reset();
  if (agent == 0 || target == 0) return {};
  AISPM_TRY(
      Statement* const drop,
      database_.cached("DELETE FROM edges WHERE agent=?1 AND source=?1 AND target=?2 AND "
                       "host=?3 RETURNING first_seen, last_seen, count, bytes, risky, judged"));
  AISPM_TRY(const bool was_there, drop->bind(agent, target, by_address.host).step());
  Use use;
  if (was_there)
    use = {drop->integer(0), drop->integer(1), drop->integer(4),
           drop->integer(5), drop->count(2),   drop->count(3)};
  AISPM_CHECK(drop->run());
  if (!was_there) return {};
  if (edge_count_ > 0) --edge_count_;
  return write({by_address.agent, by_address.source, named, by_address.host}, use);
}

Result<> Graph::flush() {
  for (const auto& [edge, use] : edges_) AISPM_CHECK(write(edge, use));
  for (const auto& [edge, named] : renamed_) AISPM_CHECK(rename(edge, named));
  edges_.clear();
  renamed_.clear();
  return {};
}

void Graph::forget() {
  edges_.clear();
  renamed_.clear();
  nodes_.clear();
  node_count_ = edge_count_ = -1;
  refused_ = 0;
}

std::uint64_t Graph::take_refused() { return std::exchange(refused_, 0); }

}  // namespace aispm::collector::inventory
