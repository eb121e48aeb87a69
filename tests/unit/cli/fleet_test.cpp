// SPDX-License-Identifier: Apache-2.0
#include "sdk/cli/fleet.hpp"

#include <gtest/gtest.h>

namespace aispm::cli {
namespace {

constexpr Screen kPipe{};

void add_node(v1::Topology& topology, const char* id, const char* kind, const char* name) {
  auto& node = *topology.add_nodes();
  node.set_id(id);
  node.set_kind(kind);
  node.set_name(name);
}

v1::TopologyEdge& add_edge(v1::Topology& topology, const char* from, const char* to,
                           const char* agent, std::uint64_t count) {
  auto& edge = *topology.add_edges();
  edge.set_from(from);
  edge.set_to(to);
  edge.add_agents(agent);
  edge.set_count(count);
  return edge;
}

TEST(TopologyTree, DrawsEachAgentWithWhatIsItsOwn) {
  v1::Topology topology;
  add_node(topology, "n1", "agent", "alice/a");
  add_node(topology, "n2", "agent", "bob/b");
  add_node(topology, "n3", "model", "gpt-x");
  add_node(topology, "n4", "tool", "lookup");
  add_node(topology, "n5", "data", "sensitive");
  add_edge(topology, "n1", "n3", "alice/a", 5);
  add_edge(topology, "n2", "n3", "bob/b", 2);
  add_edge(topology, "n3", "n4", "alice/a", 3);
  add_edge(topology, "n1", "n5", "alice/a", 1).set_risky(true);
  EXPECT_EQ(render_topology(topology, kPipe),
            "alice/a\n"
            "├─ model gpt-x  5x\n"
            "│  └─ tool lookup  3x\n"
            "└─ data sensitive  1x  at risk\n"
            "bob/b\n"
            "└─ model gpt-x  2x\n");
}

TEST(TopologyTree, EndsWhereNodesHangOnEachOther) {
  v1::Topology topology;
  add_node(topology, "n1", "agent", "alice/a");
  add_node(topology, "n2", "service", "peer");
  add_edge(topology, "n1", "n2", "alice/a", 1);
  add_edge(topology, "n2", "n1", "alice/a", 1);
  add_edge(topology, "n2", "n9", "alice/a", 1);  // a node that is not in the answer
  EXPECT_EQ(render_topology(topology, kPipe), "alice/a\n└─ service peer  1x\n");
}

TEST(TopologyTree, MakesNamesHarmless) {
  v1::Topology topology;
  add_node(topology, "n1", "agent", "a\x1b[2J");
  EXPECT_EQ(render_topology(topology, kPipe), "a\\x1b[2J\n");
}

TEST(TopologyTree, SaysThatThereIsNothingOrMore) {
  v1::Topology topology;
  EXPECT_EQ(render_topology(topology, kPipe), "No agent used anything in this time.\n");
  add_node(topology, "n1", "agent", "a");
  topology.set_truncated(true);
  EXPECT_NE(render_topology(topology, kPipe).find("There is more"), std::string::npos);
}

}  // namespace
}  // namespace aispm::cli
