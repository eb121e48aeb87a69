// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>

#include "aispm/v1/event.pb.h"
#include "gateway/collector/inventory/tally.hpp"
#include "gateway/collector/store/database.hpp"
#include "sdk/core/common/result.hpp"

namespace aispm::collector::inventory {

// What a node of the topology is; stored, so numbers stay.
enum class NodeKind : std::uint8_t {
  kAgent = 1,
  kProgram = 2,  // no agent is known for it
  kModel = 3,
  kProvider = 4,
  kMcpServer = 5,
  kTool = 6,
  kData = 7,
  kService = 8,
};
// "agent", "mcp_server", ...; empty for numbers that are none.
std::string_view name_of(NodeKind kind);

// Who uses what: edges from agents to models, providers, MCP servers, tools, data and services,
// summed per transaction. Each edge says on whose behalf it is, so that the picture of one agent
// holds only its own. Lives on the writer's thread, inside its transaction; forget() after a
// rollback.
class Graph {
 public:
  explicit Graph(store::Database& database) : database_(database) {}

  void add(const Concern& concern, const aispm::v1::Event& event);
  Result<> flush();
  void forget();
  // Nodes and edges refused since the last call because there are too many.
  std::uint64_t take_refused();

 private:
  struct Node {
    NodeKind kind = NodeKind::kAgent;
    std::string name;
    auto operator<=>(const Node&) const = default;
  };
  struct Edge {
    Node agent, source, target;
    std::int64_t host = 0;
    auto operator<=>(const Edge&) const = default;
  };
  struct Use {
    std::int64_t first = INT64_MAX, last = INT64_MIN, risky = 0, judged = 0;
    std::uint64_t count = 0, bytes = 0;
  };
  struct Weight {
    std::int64_t host = 0, time = 0;
    std::uint64_t count = 1, bytes = 0;
    bool is_risky = false, is_judged = false;
  };

  void join(const Node& agent, const Node& source, const Node& target, const Weight& weight);
  void add_llm_call(const Node& actor, const Weight& weight, const aispm::v1::Event& event);
  void add_mcp_call(const Node& actor, const Weight& weight, const aispm::v1::McpCall& call);
  void add_connection(const Node& actor, Weight weight, const aispm::v1::Event& event);
  void remember(std::int64_t host, const std::string& address, const std::string& name);
  // The name last seen for an address on that host; empty when none was.
  std::string name_of_address(std::int64_t host, const std::string& address) const;
  // Row of a node, made when it is new; 0 when there is no room.
  Result<std::int64_t> node(const Node& node);
  Result<> write(const Edge& edge, const Use& use);
  // A connection known by address only has got a name: what was counted there counts under the
  // name.
  Result<> rename(const Edge& by_address, const Node& named);

  store::Database& database_;
  std::map<Edge, Use> edges_;
  std::map<Edge, Node> renamed_;
  std::map<Node, std::int64_t> nodes_;
  std::unordered_map<std::string, std::string> addresses_;  // "host/address" -> name
  std::deque<std::string> address_order_;
  std::int64_t node_count_ = -1;  // rows; -1 before they were counted
  std::int64_t edge_count_ = -1;
  std::uint64_t refused_ = 0;
};

}  // namespace aispm::collector::inventory
