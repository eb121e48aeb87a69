// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/store/freeze_ledger.hpp"

#include <gmock/gmock.h>

#include <map>

#include "gateway/collector/pending_freezes.hpp"
#include "gateway/collector/store/freeze_orders.hpp"
#include "gateway/collector/store/operator_log.hpp"
#include "sdk/core/model/run_facts.hpp"
#include "tests/unit/collector/support.hpp"

namespace aispm::collector::test {
namespace {

using store::FreezeLedger;

class FreezeLedgerTest : public ::testing::Test {
 protected:
  Result<pb::Freeze> create(pb::FreezeScope scope, const std::string& value, bool kill = false,
                            std::uint32_t seconds = 0) {
    pb::CreateFreezeRequest request;
    request.mutable_freeze()->set_scope(scope);
    request.mutable_freeze()->set_value(value);
    request.mutable_freeze()->set_kill(kill);
    request.mutable_freeze()->set_reason("because");
    request.set_valid_seconds(seconds);
    return ledger.create(request, "alice", at(0));
  }
  int live(double seconds = 0) { return must(ledger.snapshot(at(seconds))).freezes_size(); }

  Bench bench;
  FreezeLedger ledger{bench.database(), "acme"};
};

// Hosts get it before it is stored, and once when it is.
TEST_F(FreezeLedgerTest, GivesOutWhatIsAboutToBeStored) {
  pb::CreateFreezeRequest request;
  request.mutable_freeze()->set_scope(pb::FREEZE_SCOPE_AGENT);
  request.mutable_freeze()->set_value("alice/codex");
  request.mutable_freeze()->set_reason("because");
  const pb::Freeze freeze = must(ledger.prepare(request, "alice", at(0)));
  PendingFreezes pending;
  auto held = pending.hold(freeze);
  EXPECT_EQ(live(), 0);
  const auto given = [&] { return must(ledger.snapshot(at(0), pending.list())); };
  const auto before = given();
  ASSERT_EQ(before.freezes_size(), 1);
  EXPECT_EQ(must(ledger.orders("", at(0), pending.list())).size(), 1U);
  must(ledger.store(freeze, at(0)));
  EXPECT_EQ(given().freezes_size(), 1);
  EXPECT_EQ(must(ledger.orders("", at(0), pending.list())).size(), 1U);
  // Hosts say anew what came of it: before, there was nothing to note it with.
  EXPECT_GT(given().version(), before.version());
  held.reset();
  EXPECT_TRUE(pending.list().empty());
  EXPECT_EQ(given().freezes_size(), 1);
}

TEST_F(FreezeLedgerTest, IsInForceUntilItIsLifted) {  // GRD-009
  const auto freeze = must(create(pb::FREEZE_SCOPE_AGENT, "alice/codex"));
  EXPECT_EQ(live(), 1);
  const auto before = must(ledger.snapshot(at(0))).version();
  pb::LiftFreezeRequest request;
  request.set_freeze_id(freeze.id());
  EXPECT_EQ(ledger.lift(request, "bob", at(1)).error().code, Errc::kInvalid);  // says not why
  request.set_reason("it was a test");
  EXPECT_EQ(must(ledger.lift(request, "bob", at(1))).lifted_by(), "bob");
  EXPECT_EQ(live(), 0);
  EXPECT_GT(must(ledger.snapshot(at(0))).version(), before);
  EXPECT_EQ(ledger.lift(request, "bob", at(2)).error().code, Errc::kNotFound);
  pb::ListFreezesRequest all;
  EXPECT_EQ(must(ledger.list(all, at(2))).freezes_size(), 0);
  all.set_with_past(true);
  EXPECT_EQ(must(ledger.list(all, at(2))).freezes_size(), 1);
  EXPECT_EQ(must(store::waiting_actions(bench.database(), 9)).size(), 2U);
}

pb::Event run_start(const std::string& session, const std::string& agent,
                    const std::vector<std::string>& mechanisms) {
  pb::Event event = make_event(pb::SOURCE_SANDBOX, 1);
  event.set_session_id(session);
  event.set_agent_id(agent);
  event.mutable_sandbox_start()->add_mechanisms("seccomp");
  for (const std::string& one : mechanisms) event.mutable_sandbox_start()->add_mechanisms(one);
  return event;
}

std::vector<std::uint32_t> pids_of(const std::vector<pb::Order>& orders) {
  std::vector<std::uint32_t> pids;
  for (const pb::Order& order : orders)
    if (order.match().pid() != 0) pids.push_back(order.match().pid());
  return pids;
}

constexpr char kSession[] = "0190a000-0000-7000-8000-000000000001";
constexpr char kChild[] = "0190a000-0000-7000-8000-000000000002";

// GRD-009: a kernel knows a session by its run, on the host where that is, for as long as it is.
TEST_F(FreezeLedgerTest, ASessionIsItsRunToAKernel) {
  must(create(pb::FREEZE_SCOPE_SESSION, kSession));
  EXPECT_TRUE(must(ledger.orders(bench.host_id(), at(1))).empty());
  bench.report("gateway", {run_start(kSession, "alice/agent.py", {"init:4711@5000000000"}),
                           run_start(kChild, "alice/other.py", {"init:4712@5000000000"})});
  const auto orders = must(ledger.orders(bench.host_id(), at(2)));
  ASSERT_EQ(orders.size(), 1U);
  EXPECT_EQ(orders[0].action(), pb::ORDER_ACTION_QUARANTINE);
  EXPECT_EQ(orders[0].match().pid(), 4711U);
  EXPECT_EQ(orders[0].match().start_boottime_ns(), 5'000'000'000U);
  EXPECT_EQ(orders[0].match().host_id(), bench.host_id());
  EXPECT_THAT(orders[0].id(), ::testing::EndsWith("/4711"));
  EXPECT_TRUE(must(ledger.orders("another-host", at(2))).empty());
  pb::Event end = make_event(pb::SOURCE_SANDBOX, 3);
  end.set_session_id(kSession);
  end.mutable_sandbox_exit();
  bench.report("gateway", {end});
  EXPECT_TRUE(must(ledger.orders(bench.host_id(), at(4))).empty());
}

TEST_F(FreezeLedgerTest, WhoRunsForAFrozenRunIsFrozenInTheKernelToo) {  // POL-029
  bench.report("gateway", {run_start(kSession, "alice/agent.py", {"init:4711@5000000000"}),
                           run_start(kChild, "alice/worker.py",
                                     {"init:4712@5000000000",
                                      "runs_for:" + std::string(kSession) + " alice/agent.py"})});
  const auto frozen = must(create(pb::FREEZE_SCOPE_SESSION, kChild));
  const auto orders = [&] { return must(ledger.orders(bench.host_id(), at(2))); };
  EXPECT_THAT(pids_of(orders()), ::testing::ElementsAre(4712));
  pb::LiftFreezeRequest lift;
  lift.set_freeze_id(frozen.id());
  lift.set_reason("over");
  must(ledger.lift(lift, "bob", at(1)));
  must(create(pb::FREEZE_SCOPE_AGENT, "alice/agent.py"));
  EXPECT_EQ(orders().front().match().agent_id(), "alice/agent.py") << "also outside of sandboxes";
  EXPECT_THAT(pids_of(orders()), ::testing::UnorderedElementsAre(4711, 4712));
  must(create(pb::FREEZE_SCOPE_MODEL, "gpt-*"));
  EXPECT_THAT(pids_of(orders()), ::testing::SizeIs(2));
}

// Runs of one agent, in batches that a report may hold.
void start_runs(Bench& bench, std::size_t count) {
  std::vector<pb::Event> starts;
  for (std::size_t i = 0; i < count; ++i) {
    starts.push_back(run_start("0190a000-0000-7000-8000-00000001" + std::to_string(1000 + i),
                               "alice/agent.py", {"init:" + std::to_string(100 + i) + "@7"}));
    if (starts.size() < 200 && i + 1 < count) continue;
    bench.report("gateway", starts);
    starts.clear();
  }
}

TEST_F(FreezeLedgerTest, SensorsGetNoMoreOrdersThanTheyTake) {
  start_runs(bench, FreezeLedger::kMaxOrders + 20);
  must(create(pb::FREEZE_SCOPE_USER, "alice"));
  EXPECT_EQ(must(ledger.orders(bench.host_id(), at(2))).size(), FreezeLedger::kMaxOrders);
}

class FreezeOrdersTest : public FreezeLedgerTest {
 protected:
  // The sensor says that all orders it has are in force, but for `problems`.
  pb::AckFreezesRequest acknowledge(const std::vector<pb::Order>& orders,
                                    const std::map<std::string, std::string>& problems = {}) {
    pb::AckOrdersRequest said;
    said.set_version(7);
    for (const pb::Order& order : orders) {
      auto* const state = said.add_states();
      state->set_order_id(order.id());
      if (const auto problem = problems.find(order.id()); problem != problems.end())
        state->set_problem(problem->second);
    }
    return must(store::FreezeOrders(bench.database(), "acme").states(bench.host_id(), said, at(3)));
  }
  std::vector<pb::Order> orders() { return must(ledger.orders(bench.host_id(), at(2))); }
  // Of the only freeze.
  std::string problem(const pb::AckFreezesRequest& states) {
    EXPECT_EQ(states.states_size(), 1);
    return states.states_size() == 1 ? states.states(0).problem() : "?";
  }
};

TEST_F(FreezeOrdersTest, AFreezeIsInForceWhenTheKernelHoldsEveryRunThatItMeans) {  // GRD-009
  start_runs(bench, 100);
  const auto freeze = must(create(pb::FREEZE_SCOPE_USER, "alice"));
  ASSERT_EQ(orders().size(), 101U);
  const auto states = acknowledge(orders());
  EXPECT_EQ(problem(states), "");
  EXPECT_EQ(states.states(0).freeze_id(), freeze.id());
  EXPECT_EQ(states.version(), 7U);
}

TEST_F(FreezeOrdersTest, AFreezeThatDoesNotReachAllRunsSaysHowMany) {  // GRD-009
  start_runs(bench, FreezeLedger::kMaxOrders + 20);
  must(create(pb::FREEZE_SCOPE_USER, "alice"));  // one order is about agents outside of sandboxes
  EXPECT_EQ(problem(acknowledge(orders())),
            "the kernel holds 1023 of 1044 runs; 21 beyond the 1024 orders of a host");
}

TEST_F(FreezeOrdersTest, ARunWithoutAKnownProcessIsNotInForceInTheKernel) {  // GRD-009
  bench.report("gateway", {run_start(kSession, "alice/agent.py", {"init:4711@5000000000"}),
                           run_start(kChild, "alice/agent.py", {})});
  must(create(pb::FREEZE_SCOPE_SESSION, kChild));
  EXPECT_TRUE(orders().empty());
  EXPECT_EQ(problem(acknowledge({})),
            "the kernel holds 0 of 1 runs; 1 did not say which process they are");
}

TEST_F(FreezeOrdersTest, WhatTheSensorSaysOfARunIsSaidOfTheFreeze) {  // GRD-009
  bench.report("gateway", {run_start(kSession, "alice/agent.py", {"init:4711@5000000000"}),
                           run_start(kChild, "alice/agent.py", {"init:4712@5000000000"})});
  const auto freeze = must(create(pb::FREEZE_SCOPE_AGENT, "alice/agent.py"));
  const std::string id = "freeze:" + freeze.id();
  EXPECT_EQ(problem(acknowledge(orders(), {{id + "/4712", "no process 4712 runs here"}})),
            "the kernel holds 1 of 2 runs; 1: no process 4712 runs here");
  EXPECT_EQ(problem(acknowledge(orders(), {{id, "the table is full"}})), "the table is full");
  // One run began after the snapshot that the sensor speaks of.
  auto earlier = orders();
  std::erase_if(earlier, [&](const pb::Order& one) { return one.id() == id + "/4712"; });
  EXPECT_EQ(problem(acknowledge(earlier)), "the kernel holds 1 of 2 runs; 1 not acknowledged yet");
}

TEST_F(FreezeOrdersTest, AWordFromBeforeAFreezeIsNoneAboutIt) {
  bench.report("gateway", {run_start(kSession, "alice/agent.py", {"init:4711@5000000000"})});
  must(create(pb::FREEZE_SCOPE_SESSION, kSession));
  EXPECT_TRUE(acknowledge({}).states().empty());
  EXPECT_EQ(problem(acknowledge(orders())), "");
}

TEST(RunFacts, AreReadOnlyWhereTheyAreWhole) {
  for (const char* wrong : {"init:", "init:7", "init:7@", "init:x@7", "init:7@x", "init:1@7",
                            "init:7@0", "init:7@8 ", "init:99999999999@7", "seccomp"})
    EXPECT_FALSE(model::parse_run_init(wrong)) << wrong;
  EXPECT_EQ(model::parse_run_init(model::describe_run_init({7, 8}))->start_boottime_ns, 8U);
  EXPECT_FALSE(model::parse_runs_for("runs_for:x"));
  EXPECT_EQ(model::parse_runs_for("runs_for:s a/b")->agent_id, "a/b");
}

TEST_F(FreezeLedgerTest, EndsByItself) {  // GRD-009
  must(create(pb::FREEZE_SCOPE_AGENT, "a", false, 10));
  EXPECT_EQ(live(9.9), 1);
  EXPECT_EQ(live(10), 0);
}

TEST_F(FreezeLedgerTest, MustNameSomebodyAndSayWhy) {
  EXPECT_FALSE(create(pb::FREEZE_SCOPE_UNSPECIFIED, "a"));
  EXPECT_FALSE(create(static_cast<pb::FreezeScope>(99), "a"));
  EXPECT_FALSE(create(pb::FREEZE_SCOPE_AGENT, ""));
  EXPECT_FALSE(create(pb::FREEZE_SCOPE_ALL, "a"));
  EXPECT_FALSE(create(pb::FREEZE_SCOPE_AGENT, "a\nb"));
  pb::CreateFreezeRequest unexplained;
  unexplained.mutable_freeze()->set_scope(pb::FREEZE_SCOPE_ALL);
  EXPECT_FALSE(ledger.create(unexplained, "alice", at(0)));
  EXPECT_EQ(live(), 0);
}

TEST_F(FreezeLedgerTest, SensorsGetOrders) {
  must(create(pb::FREEZE_SCOPE_AGENT, "alice/*"));
  must(create(pb::FREEZE_SCOPE_USER, "carol", true));
  must(create(pb::FREEZE_SCOPE_MODEL, "gpt-4o"));
  must(create(pb::FREEZE_SCOPE_SESSION, "s1"));    // no kernel knows sessions
  must(create(pb::FREEZE_SCOPE_TENANT, "other"));  // not ours
  must(create(pb::FREEZE_SCOPE_TENANT, "acme"));
  const auto orders = must(ledger.orders("", at(1)));
  ASSERT_EQ(orders.size(), 4U);
  EXPECT_EQ(orders[0].action(), pb::ORDER_ACTION_QUARANTINE);
  EXPECT_EQ(orders[0].match().agent_id(), "alice/*");
  EXPECT_EQ(orders[0].mode(), pb::ORDER_MODE_ENFORCE);
  EXPECT_EQ(orders[1].action(), pb::ORDER_ACTION_KILL);
  EXPECT_EQ(orders[1].match().user(), "carol");
  EXPECT_EQ(orders[1].match().agent_id(), "*");  // never whatever else runs as that user
  EXPECT_EQ(orders[2].action(), pb::ORDER_ACTION_BLOCK);
  EXPECT_EQ(orders[3].match().agent_id(), "*");
}

TEST_F(FreezeLedgerTest, TheFirstWordSaysHowLongItTook) {
  const auto freeze = must(create(pb::FREEZE_SCOPE_AGENT, "a"));
  pb::AckFreezesRequest request;
  request.add_states()->set_freeze_id(freeze.id());
  request.add_states()->set_freeze_id("unknown");
  must(ledger.acknowledge("h1", "gateway", request, at(0.05)));
  must(ledger.acknowledge("h1", "gateway", request, at(7)));
  const auto list = must(ledger.list({}, at(8)));
  ASSERT_EQ(list.freezes(0).states_size(), 1);
  EXPECT_EQ(list.freezes(0).states(0).latency_us(), 50'000U);
  EXPECT_EQ(list.freezes(0).states(0).component(), "gateway");
}

TEST_F(FreezeLedgerTest, TheirNumberIsLimited) {
  for (std::size_t i = 0; i < FreezeLedger::kMaxLive; ++i)
    must(create(pb::FREEZE_SCOPE_AGENT, "a" + std::to_string(i)));
  EXPECT_EQ(create(pb::FREEZE_SCOPE_AGENT, "one more").error().code, Errc::kExhausted);
}

}  // namespace
}  // namespace aispm::collector::test
