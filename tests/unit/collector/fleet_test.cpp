// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "sdk/core/common/file.hpp"
#include "tests/unit/collector/fleet_support.hpp"

namespace aispm::collector::test {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

TEST(McpServers, TakeTheFirstListAsItIs) {
  FleetBench bench;
  bench.report("sensord", {make_tools({{"read", kHashA, kHashA}, {"write", kHashA, kHashA}}, 1)});
  const pb::McpServer server = bench.server();
  EXPECT_EQ(server.name(), "files");
  EXPECT_EQ(server.transport(), "stdio");
  EXPECT_EQ(server.endpoint(), "/usr/bin/node /srv/files.js");
  EXPECT_EQ(server.tools(), 2U);
  EXPECT_TRUE(server.listed());
  EXPECT_EQ(server.changes(), 0U);
  EXPECT_EQ(server.history_size(), 0);
}

TEST(McpServers, FindEveryDifferenceWithHashesBeforeAndAfter) {
  FleetBench bench;
  bench.report("sensord", {make_tools({{"read", kHashA, kHashA}, {"write", kHashA, kHashA}}, 1)});
  bench.reopen();  // the comparison is with the store, not with memory
  bench.report("sensord", {make_tools({{"read", kHashB, kHashA}, {"run", kHashA, kHashA}}, 9)});
  const pb::McpServer server = bench.server();
  EXPECT_EQ(server.tools(), 2U);
  EXPECT_EQ(server.changes(), 3U);
  EXPECT_EQ(server.last_change().seconds(), at(9).nanoseconds / kSecond);
  std::map<std::string, pb::McpToolChange> changes;
  for (const auto& change : server.history()) changes[change.tool()] = change;
  EXPECT_EQ(changes["read"].change(), "description");
  EXPECT_EQ(changes["read"].description_before(), kHashA);
  EXPECT_EQ(changes["read"].description_after(), kHashB);
  EXPECT_EQ(changes["run"].change(), "added");
  EXPECT_EQ(changes["run"].description_before(), "");
  EXPECT_EQ(changes["write"].change(), "removed");
  EXPECT_EQ(changes["write"].description_after(), "");
  ASSERT_EQ(server.tool_list_size(), 3);
  EXPECT_TRUE(server.tool_list(2).removed());
  pb::ListMcpServersRequest changed;
  changed.set_changed(true);
  EXPECT_EQ(must(bench.fleet().mcp_servers(changed)).servers_size(), 1);
}

TEST(McpServers, SayNothingWhenTheListIsTheSame) {
  FleetBench bench;
  bench.report("sensord", {make_tools({{"read", kHashA, kHashA}}, 1)});
  bench.report("sensord", {make_tools({{"read", kHashA, kHashA}}, 9)});
  EXPECT_EQ(bench.server().changes(), 0U);
}

TEST(McpServers, IgnoreAListOlderThanTheOneTheyKnow) {
  FleetBench bench;
  bench.report("sensord", {make_tools({{"read", kHashA, kHashA}}, 9)});
  bench.report("sensord", {make_tools({{"read", kHashB, kHashA}}, 1)});
  EXPECT_EQ(bench.server().tool_list(0).description_sha256(), kHashA);
}

TEST(McpServers, AreKnownFromCallsBeforeAnyList) {
  FleetBench bench;
  pb::Event failed = make_mcp_call("read", 2);
  failed.mutable_mcp_call()->set_is_error(true);
  bench.report("sensord", {make_mcp_call("read", 1), failed});
  pb::McpServer server = bench.server();
  EXPECT_FALSE(server.listed());
  EXPECT_EQ(server.calls(), 2U);
  EXPECT_EQ(server.errors(), 1U);
  EXPECT_THAT(server.agents(), ElementsAre("alice/agent.py"));
  bench.report("sensord", {make_tools({{"read", kHashA, kHashA}}, 3)});
  server = bench.server();
  EXPECT_EQ(server.changes(), 0U);
  EXPECT_EQ(server.tool_list(0).calls(), 2U);
  EXPECT_EQ(server.tool_list(0).description_sha256(), kHashA);
}

TEST(McpServers, SeenBeforeTheyNamedThemselvesAreTheSameLater) {
  FleetBench bench;
  bench.report("sensord", {make_mcp_call("read", 1, "")});
  EXPECT_EQ(bench.server().name(), "files.js");
  bench.report("sensord", {make_mcp_call("read", 2), make_mcp_call("read", 3, "")});
  const pb::McpServer server = bench.server();
  EXPECT_EQ(server.name(), "files");
  EXPECT_EQ(server.calls(), 3U);
}

std::set<std::string> edges_of(const pb::Topology& topology) {
  std::map<std::string, std::string> names;
  for (const auto& node : topology.nodes()) names[node.id()] = node.kind() + ":" + node.name();
  std::set<std::string> edges;
  for (const auto& edge : topology.edges())
    edges.insert(names.at(edge.from()) + " > " + names.at(edge.to()));
  return edges;
}

pb::Event make_close(const std::string& agent, const std::string& name, double seconds) {
  pb::Event event = make_sensor_event(seconds, agent);
  auto& close = *event.mutable_socket_close();
  close.set_destination_address("203.0.113.9");
  close.set_destination_port(443);
  close.set_bytes_sent(100);
  close.set_bytes_received(900);
  close.set_name(name);
  close.set_name_source("sni");
  return event;
}

pb::Event make_connect(const std::string& agent, double seconds) {
  pb::Event event = make_sensor_event(seconds, agent);
  event.mutable_socket_connect()->set_destination_address("203.0.113.9");
  event.mutable_socket_connect()->set_destination_port(443);
  event.mutable_socket_connect()->set_outcome("established");
  return event;
}

// INV-013: agent -> model -> tool, agent -> MCP server -> tool, agent -> data, agent -> service.
TEST(Topology, IsMadeOfWhatAgentsDid) {
  FleetBench bench;
  bench.report("sensord",
               {make_agent_call("alice/agent.py", 1), make_mcp_call("read", 2),
                make_connect("alice/agent.py", 3), make_file("alice/agent.py", "sensitive", 4),
                make_file("alice/agent.py", "other", 4)});
  const pb::Topology topology = must(bench.fleet().topology({}, at(10)));
  EXPECT_THAT(edges_of(topology),
              UnorderedElementsAre(
                  "agent:alice/agent.py > model:gpt-x", "model:gpt-x > provider:openai",
                  "model:gpt-x > tool:read", "agent:alice/agent.py > mcp_server:files",
                  "mcp_server:files > tool:read", "agent:alice/agent.py > service:203.0.113.9:443",
                  "agent:alice/agent.py > data:sensitive"));
  EXPECT_FALSE(topology.truncated());
  // The call went past the gateway and the file is sensitive; the MCP server did nothing.
  for (const auto& node : topology.nodes())
    EXPECT_EQ(node.risky(),
              node.kind() != "agent" && node.kind() != "mcp_server" && node.kind() != "service")
        << node.kind();
}

TEST(Topology, ShowsANewEdgeWithTheTransactionThatBroughtIt) {
  FleetBench bench;
  bench.report("sensord", {make_mcp_call("read", 1)});
  const auto before = edges_of(must(bench.fleet().topology({}, at(10))));
  bench.report("sensord", {make_mcp_call("write", 2)});
  const auto after = edges_of(must(bench.fleet().topology({}, at(10))));
  EXPECT_EQ(after.size(), before.size() + 1);
  EXPECT_TRUE(after.contains("mcp_server:files > tool:write"));
}

TEST(Topology, CountsOneEdgeHoweverOftenItIsUsed) {
  FleetBench bench;
  bench.report("sensord", {make_mcp_call("read", 1), make_mcp_call("read", 2)});
  bench.report("sensord", {make_mcp_call("read", 3)});
  const pb::Topology topology = must(bench.fleet().topology({}, at(10)));
  ASSERT_EQ(topology.edges_size(), 2);
  EXPECT_EQ(topology.edges(0).count(), 3U);
  EXPECT_EQ(topology.edges(0).first_seen().seconds(), at(1).nanoseconds / kSecond);
  EXPECT_EQ(topology.edges(0).last_seen().seconds(), at(3).nanoseconds / kSecond);
}

TEST(Topology, OfOneAgentHoldsOnlyItsOwnUse) {
  FleetBench bench;
  pb::Event other = make_agent_call("bob/other.py", 1);
  other.mutable_llm_call()->clear_tools_called();
  bench.report("sensord", {make_agent_call("alice/agent.py", 1), other});
  pb::GetTopologyRequest request;
  request.set_agent_id("bob/other.py");
  EXPECT_THAT(
      edges_of(must(bench.fleet().topology(request, at(10)))),
      UnorderedElementsAre("agent:bob/other.py > model:gpt-x", "model:gpt-x > provider:openai"));
}

TEST(Topology, EndsAtTheDepthAskedForAndKeepsToItsWindow) {
  FleetBench bench;
  bench.report("sensord", {make_agent_call("alice/agent.py", 1)});
  pb::GetTopologyRequest request;
  request.set_depth(1);
  EXPECT_THAT(edges_of(must(bench.fleet().topology(request, at(10)))),
              UnorderedElementsAre("agent:alice/agent.py > model:gpt-x"));
  request.set_depth(2);
  EXPECT_EQ(must(bench.fleet().topology(request, at(10))).edges_size(), 3);
  request.set_hours(1);
  EXPECT_EQ(must(bench.fleet().topology(request, at(2 * 3600))).edges_size(), 0);
  request.set_depth(5);
  EXPECT_EQ(bench.fleet().topology(request, at(10)).error().code, Errc::kInvalid);
}

TEST(Topology, NamesAConnectionOnceItsNameIsKnown) {
  FleetBench bench;
  bench.report("sensord", {make_connect("alice/agent.py", 1)});
  EXPECT_THAT(edges_of(must(bench.fleet().topology({}, at(10)))),
              ElementsAre("agent:alice/agent.py > service:203.0.113.9:443"));
  bench.report("sensord", {make_close("alice/agent.py", "api.example.com", 5)});
  const pb::Topology topology = must(bench.fleet().topology({}, at(10)));
  EXPECT_THAT(edges_of(topology),
              ElementsAre("agent:alice/agent.py > service:api.example.com:443"));
  EXPECT_EQ(topology.edges(0).count(), 1U);
  EXPECT_EQ(topology.edges(0).bytes(), 1000U);
  // From now on also at the moment of connecting.
  bench.report("sensord", {make_connect("alice/agent.py", 6)});
  EXPECT_EQ(must(bench.fleet().topology({}, at(10))).edges(0).count(), 2U);
}

TEST(Topology, LeavesOutWhatProgramsWithoutAnAgentConnectTo) {
  FleetBench bench;
  bench.report("sensord", {make_connect("", 1), make_agent_call("", 2)});
  EXPECT_THAT(edges_of(must(bench.fleet().topology({}, at(10)))),
              ::testing::Contains("program:/usr/bin/python3 > model:gpt-x"));
  EXPECT_EQ(bench.count("SELECT COUNT(*) FROM nodes WHERE kind=8"), 0);
}

TEST(Calls, SeenOnTheirWayToTheGatewayAreNotCountedTwice) {
  FleetBench bench;
  pb::Event call = make_call(pb::SOURCE_SENSOR, 1);
  call.mutable_llm_call()->set_route("gateway");
  bench.report("sensord", {call});
  bench.report("gateway", {make_call(pb::SOURCE_GATEWAY, 1)});
  const pb::Overview overview = must(bench.reader().overview(0, {}, at(10)));
  EXPECT_EQ(overview.llm_calls(), 1U);
  EXPECT_EQ(overview.direct_calls(), 0U);
}

// INV-016: the dashboard's unsanctioned count, and calls past the gateway.
TEST(Overview, CountsShadowUse) {
  FleetBench bench;
  bench.report("sensord", {make_asset("x1", "model_server", 1), make_asset("x2", "model_file", 1),
                           make_agent_call("alice/agent.py", 2), make_mcp_call("read", 3)});
  bench.set_state(bench.asset("x1").id(), "sanctioned", "me");
  const pb::Overview overview = must(bench.reader().overview(0, {}, at(10)));
  // x2, and the agent that was seen at work
  EXPECT_EQ(overview.unsanctioned_assets(), 2U);
  EXPECT_EQ(overview.direct_calls(), 1U);
  EXPECT_EQ(overview.mcp_calls(), 1U);
}

TEST(Retention, ForgetsWhatWasLastSeenLongAgoAndTheNodesNothingHangsOn) {
  FleetBench bench;
  constexpr double kLongAgo = -100 * 86'400;
  bench.report("sensord",
               {make_mcp_call("old", kLongAgo), make_tools({{"old", kHashA, kHashA}}, kLongAgo),
                make_agent_call("alice/agent.py", 1)});
  must(bench.writer().retain(at(-90 * 86'400), UINT64_MAX, 1000));
  EXPECT_EQ(bench.count("SELECT COUNT(*) FROM mcp_servers"), 0);
  EXPECT_EQ(bench.count("SELECT COUNT(*) FROM mcp_tools"), 0);
  EXPECT_EQ(bench.count("SELECT COUNT(*) FROM nodes WHERE name IN ('files', 'old')"), 0);
  EXPECT_EQ(must(bench.fleet().topology({}, at(10))).edges_size(), 3);
  // What is seen again gets a node again.
  bench.report("sensord", {make_mcp_call("old", 5)});
  EXPECT_EQ(must(bench.fleet().topology({}, at(10))).edges_size(), 5);
}

TEST(Migration, GivesCallsOfAnOlderStoreTheirAgent) {
  TempFolder folder;
  const std::string path = folder.path() + "/store.db";
  {
    store::Database fresh = must(store::Database::open(folder.path() + "/fresh.db"));
    must(fresh.migrate());
    auto id = must(fresh.prepare("PRAGMA application_id"));
    ASSERT_TRUE(must(id.step()));
    store::Database old = must(store::Database::open(path));
    const std::string first = must(
        read_file(AISPM_SOURCE_DIR "/gateway/collector/store/migrations/001_init.sql", 1U << 20));
    must(old.execute(first.c_str()));
    must(old.execute(
        ("PRAGMA user_version=1; PRAGMA application_id=" + std::to_string(id.integer(0)) +
         "; INSERT INTO events (seq, id, host, time, kind, source, agent, detections, body) VALUES "
         "(3, x'00', 1, 5, 24, 2, 7, 0, x''); INSERT INTO calls VALUES (3, 5, 1, NULL, 1, 1, 0)")
            .c_str()));
  }
  store::Database database = must(store::Database::open(path));
  must(database.migrate());
  auto agent = must(database.prepare("SELECT agent, route FROM calls WHERE event=3"));
  ASSERT_TRUE(must(agent.step()));
  EXPECT_EQ(agent.integer(0), 7);
  EXPECT_EQ(agent.integer(1), 0);
}

}  // namespace
}  // namespace aispm::collector::test
