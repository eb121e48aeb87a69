// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "tests/unit/collector/fleet_support.hpp"

namespace aispm::collector::test {
namespace {

constexpr double kDay = 86'400;

TEST(InventoryAssets, KeepWhatTheSensorReported) {
  FleetBench bench;
  bench.report("sensord", {make_asset("x1", "model_server", 1)});
  const pb::InventoryAsset asset = bench.asset("x1");
  EXPECT_EQ(asset.asset().kind(), "model_server");
  EXPECT_EQ(asset.asset().evidence(0).rule(), "ollama.port");
  EXPECT_EQ(asset.asset().explanation(), "The port and the process fit.");
  EXPECT_EQ(asset.host_id(), bench.host_id());
  EXPECT_EQ(asset.state(), "unsanctioned");
  EXPECT_EQ(asset.origin(), "sensor");
  EXPECT_EQ(asset.owner(), "");
  EXPECT_FALSE(asset.stale());
  EXPECT_FALSE(asset.has_gone());
}

TEST(InventoryAssets, AreOneRowHoweverOftenReported) {
  FleetBench bench;
  bench.report("sensord", {make_asset("x1", "model_server", 1)});
  pb::Event again = make_asset("x1", "model_server", 9);
  again.mutable_asset()->set_version("2.0");
  bench.report("sensord", {again});
  EXPECT_EQ(bench.count("SELECT COUNT(*) FROM assets"), 1);
  const pb::InventoryAsset asset = bench.asset("x1");
  EXPECT_EQ(asset.asset().version(), "2.0");
  EXPECT_EQ(asset.first_seen().seconds(), at(1).nanoseconds / kSecond);
  EXPECT_EQ(asset.last_seen().seconds(), at(9).nanoseconds / kSecond);
}

TEST(InventoryAssets, IgnoreAReportThatComesLate) {
  FleetBench bench;
  pb::Event gone = make_asset("x1", "model_server", 9);
  gone.mutable_asset()->set_gone(true);
  bench.report("sensord", {gone});
  bench.report("sensord", {make_asset("x1", "model_server", 5)});
  EXPECT_TRUE(bench.asset("x1").has_gone());
}

TEST(InventoryAssets, AreGoneWhenTheSensorSaysSoAndBackWhenItSeesThemAgain) {
  FleetBench bench;
  bench.report("sensord", {make_asset("x1", "model_server", 1)});
  pb::Event gone = make_asset("x1", "model_server", 2);
  gone.mutable_asset()->set_gone(true);
  bench.report("sensord", {gone});
  EXPECT_TRUE(bench.asset("x1").has_gone());
  EXPECT_EQ(bench.assets().assets_size(), 0);
  bench.report("sensord", {make_asset("x1", "model_server", 3)});
  EXPECT_FALSE(bench.asset("x1").has_gone());
  EXPECT_EQ(bench.assets().assets_size(), 1);
}

TEST(InventoryAssets, AreGoneWhenACompleteScanDoesNotNameThem) {
  FleetBench bench;
  bench.report("sensord", {make_scanned("x1", "r1", 2, 1), make_scanned("x2", "r1", 2, 1)});
  bench.report("sensord", {make_scanned("x1", "r2", 1, 60)});
  EXPECT_FALSE(bench.asset("x1").has_gone());
  EXPECT_TRUE(bench.asset("x2").has_gone());
}

TEST(InventoryAssets, StayWhileAScanIsIncomplete) {
  FleetBench bench;
  bench.report("sensord", {make_scanned("x1", "r1", 3, 1), make_scanned("x2", "r1", 3, 1),
                           make_scanned("x3", "r1", 3, 1)});
  bench.report("sensord", {make_scanned("x1", "r2", 2, 60)});
  EXPECT_FALSE(bench.asset("x3").has_gone());
  bench.reopen();  // the count of what a scan named survives a restart
  bench.report("sensord", {make_scanned("x1", "r2", 2, 60)});  // the same one twice is no second
  EXPECT_FALSE(bench.asset("x3").has_gone());
  bench.report("sensord", {make_scanned("x2", "r2", 2, 61)});
  EXPECT_TRUE(bench.asset("x3").has_gone());
}

TEST(InventoryAssets, FoundDuringAScanThatDoesNotNameThemStay) {
  FleetBench bench;
  bench.report("sensord", {make_scanned("x1", "r1", 2, 60)});
  bench.report("sensord", {make_asset("new", "model_server", 60.5)});
  bench.report("sensord", {make_scanned("x2", "r1", 2, 61)});
  EXPECT_FALSE(bench.asset("new").has_gone());
}

TEST(InventoryAssets, OfOneHostAreNotTouchedByTheScanOfAnother) {
  FleetBench bench;
  bench.report("sensord", {make_scanned("x1", "r1", 1, 1)});
  Producer other{"default", bench.enrol("host-b", "machine-b"), "sensord", {}};
  other.hello.set_producer_id("other");
  must(bench.commit(bench.batch(std::make_shared<const Producer>(std::move(other)), 1,
                                {make_scanned("y1", "r9", 1, 60)})));
  EXPECT_FALSE(bench.asset("x1").has_gone());
}

// INV-016
TEST(InventoryAssets, KeepTheirStateOwnerAndReasonOverScans) {
  FleetBench bench;
  bench.report("sensord", {make_scanned("x1", "r1", 1, 1)});
  bench.set_state(bench.asset("x1").id(), "sanctioned", "ml-team");
  bench.report("sensord", {make_scanned("x1", "r2", 1, 60)});
  const pb::InventoryAsset asset = bench.asset("x1");
  EXPECT_EQ(asset.state(), "sanctioned");
  EXPECT_EQ(asset.owner(), "ml-team");
  EXPECT_EQ(asset.reason(), "reviewed");
  EXPECT_EQ(asset.changed_by(), "ops (1234abcd)");
}

// INV-016
TEST(InventoryAssets, RecordEveryDecisionWithItsAuthor) {
  FleetBench bench;
  bench.report("sensord", {make_asset("x1", "model_server", 1)});
  const std::string id = bench.asset("x1").id();
  bench.set_state(id, "sanctioned", "ml-team");
  bench.set_state(id, "ignored", "");
  const pb::InventoryAsset asset = must(bench.fleet().asset(id, at(100)));
  ASSERT_EQ(asset.history_size(), 2);
  EXPECT_EQ(asset.history(0).state(), "ignored");
  EXPECT_EQ(asset.history(0).state_before(), "sanctioned");
  EXPECT_EQ(asset.history(0).owner_before(), "ml-team");
  EXPECT_EQ(asset.history(1).state_before(), "unsanctioned");
  EXPECT_EQ(asset.history(1).who(), "ops (1234abcd)");
  EXPECT_FALSE(bench.database().execute("DELETE FROM asset_changes"));
  EXPECT_FALSE(bench.database().execute("UPDATE asset_changes SET who='nobody'"));
}

TEST(InventoryAssets, RefuseADecisionThatMakesNoSense) {
  FleetBench bench;
  bench.report("sensord", {make_asset("x1", "model_server", 1)});
  pb::SetAssetStateRequest request;
  const auto code = [&] {
    const auto done = bench.book().set_state(request, "me", at(1));
    return done ? Errc::kInternal : done.error().code;
  };
  request.set_id("a999999");
  request.set_state("sanctioned");
  EXPECT_EQ(code(), Errc::kNotFound);
  request.set_id("x1");
  EXPECT_EQ(code(), Errc::kNotFound);
  request.set_id(bench.asset("x1").id());
  request.set_state("approved");
  EXPECT_EQ(code(), Errc::kInvalid);
  request.set_state("");
  EXPECT_EQ(code(), Errc::kInvalid);
  request.set_owner(std::string(257, 'o'));
  EXPECT_EQ(code(), Errc::kInvalid);
  request.set_owner("team\nroot");
  EXPECT_EQ(code(), Errc::kInvalid);
  EXPECT_EQ(bench.asset("x1").changed_by(), "");
}

// INV-019
TEST(InventoryAssets, AreStaleAfterThirtyOneDaysAndNotAfterThirty) {
  FleetBench bench;
  bench.report("sensord",
               {make_asset("old", "agent", -31 * kDay), make_asset("young", "agent", -30 * kDay)});
  EXPECT_TRUE(bench.asset("old", 0).stale());
  EXPECT_FALSE(bench.asset("young", 0).stale());
  EXPECT_FALSE(bench.asset("young", kDay - 1).stale());
  EXPECT_TRUE(bench.asset("young", kDay).stale());
  pb::ListAssetsRequest request;
  request.set_stale(true);
  ASSERT_EQ(bench.assets(request, 0).assets_size(), 1);
  EXPECT_EQ(bench.assets(request, 0).assets(0).asset().asset_id(), "old");
  EXPECT_EQ(must(bench.fleet().summary({}, at(0))).stale(), 1U);
  bench.fleet().set_stale_days(29);
  EXPECT_EQ(bench.assets(request, 0).assets_size(), 2);
}

TEST(InventoryAssets, AreFilteredByEveryField) {
  FleetBench bench;
  bench.report("sensord", {make_asset("x1", "model_server", 1),
                           make_asset("x2", "coding_agent", 1, "alice/claude")});
  bench.set_state(bench.asset("x2").id(), "sanctioned", "alice");
  const auto only = [&](const pb::ListAssetsRequest& request) {
    const auto list = bench.assets(request);
    return list.assets_size() == 1 ? list.assets(0).asset().asset_id()
                                   : std::to_string(list.assets_size());
  };
  pb::ListAssetsRequest kind, state, owner, unowned, agent, query, host;
  kind.set_kind("model_server");
  EXPECT_EQ(only(kind), "x1");
  state.set_state("sanctioned");
  EXPECT_EQ(only(state), "x2");
  owner.set_owner("alice");
  EXPECT_EQ(only(owner), "x2");
  unowned.set_unowned(true);
  EXPECT_EQ(only(unowned), "x1");
  agent.set_agent_id("alice/claude");
  EXPECT_EQ(only(agent), "x2");
  query.set_query("ALICE");
  EXPECT_EQ(only(query), "x2");
  host.set_host_id("elsewhere");
  EXPECT_EQ(only(host), "0");
  state.set_state("bad");
  EXPECT_EQ(bench.fleet().assets(state, at(1)).error().code, Errc::kInvalid);
  unowned.set_owner("alice");
  EXPECT_EQ(bench.fleet().assets(unowned, at(1)).error().code, Errc::kInvalid);
}

TEST(InventoryAssets, ArePagedWithoutLossOrRepetition) {
  FleetBench bench;
  std::vector<pb::Event> events;
  for (int i = 0; i < 25; ++i)
    events.push_back(make_asset("x" + std::to_string(i), "model_file", i));
  bench.report("sensord", events);
  pb::ListAssetsRequest request;
  request.set_page_size(10);
  std::set<std::string> seen;
  for (int pages = 0; pages < 3; ++pages) {
    const auto list = bench.assets(request);
    for (const auto& asset : list.assets()) EXPECT_TRUE(seen.insert(asset.id()).second);
    request.set_page_token(list.next_page_token());
  }
  EXPECT_EQ(seen.size(), 25U);
  EXPECT_EQ(request.page_token(), "");
}

// INV-010: an agent that only the gateway knows is an asset that can be owned.
TEST(InventoryAssets, StandForAgentsThatNoSensorFound) {
  FleetBench bench;
  pb::Event call = make_call(pb::SOURCE_GATEWAY, 1);
  call.set_agent_id("billing-bot");
  bench.report("gateway", {call});
  const pb::InventoryAsset asset = bench.asset("agent/billing-bot");
  EXPECT_EQ(asset.origin(), "collector");
  EXPECT_EQ(asset.agent_id(), "billing-bot");
  EXPECT_EQ(asset.asset().kind(), "agent");
}

TEST(InventoryAssets, OfAgentsBecomeTheSensorsWithOwnerAndHistory) {
  FleetBench bench;
  pb::Event call = make_call(pb::SOURCE_GATEWAY, 1);
  call.set_agent_id("alice/claude");
  bench.report("gateway", {call});
  bench.set_state(bench.asset("agent/alice/claude").id(), "sanctioned", "alice");
  bench.report("sensord", {make_asset("x7", "coding_agent", 5, "alice/claude")});
  EXPECT_EQ(bench.count("SELECT COUNT(*) FROM assets"), 1);
  const pb::InventoryAsset asset = must(bench.fleet().asset(bench.asset("x7").id(), at(9)));
  EXPECT_EQ(asset.origin(), "sensor");
  EXPECT_EQ(asset.owner(), "alice");
  EXPECT_EQ(asset.history_size(), 1);
}

TEST(InventoryAssets, OfAScanAreNotGoneForAgentsOnlyTheGatewayKnows) {
  FleetBench bench;
  pb::Event call = make_call(pb::SOURCE_GATEWAY, 1);
  call.set_agent_id("billing-bot");
  bench.report("gateway", {call});
  bench.report("sensord", {make_scanned("x1", "r1", 1, 60)});
  EXPECT_FALSE(bench.asset("agent/billing-bot").has_gone());
}

TEST(InventoryAssets, AreForgottenWhenGoneOldAndUndecided) {
  FleetBench bench;
  for (const char* id : {"decided", "undecided"}) {
    pb::Event event = make_asset(id, "model_file", -100 * kDay);
    event.mutable_asset()->set_gone(true);
    bench.report("sensord", {event});
  }
  bench.report("sensord", {make_asset("there", "model_file", -100 * kDay)});
  bench.set_state(bench.asset("decided").id(), "ignored", "me");
  must(bench.writer().retain(at(-90 * kDay), UINT64_MAX, 1000));
  EXPECT_EQ(bench.count("SELECT COUNT(*) FROM assets WHERE asset_id='undecided'"), 0);
  EXPECT_EQ(bench.count("SELECT COUNT(*) FROM assets"), 2);
}

TEST(Validation, BoundsWhatMakesTheInventory) {
  FleetBench bench;
  const auto refused = [&](const pb::Event& event) {
    return bench.batch(bench.producer("sensord"), 99, {event})->rejected == 1;
  };
  pb::Event asset = make_asset("x1", "model_server", 1);
  EXPECT_FALSE(refused(asset));
  asset.mutable_asset()->set_confidence(1.1);
  EXPECT_TRUE(refused(asset));
  asset = make_asset("", "model_server", 1);
  EXPECT_TRUE(refused(asset));
  asset = make_asset("x1", "", 1);
  EXPECT_TRUE(refused(asset));
  asset = make_asset("x1", "model_server", 1);
  asset.mutable_asset()->mutable_evidence(0)->set_value(std::string(70'000, 'v'));
  EXPECT_TRUE(refused(asset));
  pb::Event tools = make_tools({{"read", kHashA, kHashA}}, 1);
  EXPECT_FALSE(refused(tools));
  EXPECT_TRUE(refused(make_tools({{"read", "AB", kHashA}}, 1)));
  EXPECT_TRUE(refused(make_tools({{"", kHashA, kHashA}}, 1)));
  pb::Event coverage = make_sensor_event(1);
  coverage.mutable_tls_coverage()->set_wire_bytes(10);
  EXPECT_FALSE(refused(coverage));
  coverage.clear_process();
  EXPECT_TRUE(refused(coverage));
  pb::Event call = make_call(pb::SOURCE_SENSOR, 1);
  call.mutable_llm_call()->set_route("sideways");
  EXPECT_TRUE(refused(call));
  call.mutable_llm_call()->set_route("direct");
  EXPECT_FALSE(refused(call));
  pb::Event name = make_sensor_event(1);
  name.mutable_name_seen()->set_name(std::string(300, 'n'));
  EXPECT_TRUE(refused(name));
  pb::Event file = make_sensor_event(1);
  file.mutable_file_access()->set_path(std::string(9000, 'p'));
  EXPECT_TRUE(refused(file));
}

}  // namespace
}  // namespace aispm::collector::test
