// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/store/freeze_ledger.hpp"

#include <gmock/gmock.h>

#include "gateway/collector/pending_freezes.hpp"
#include "gateway/collector/store/operator_log.hpp"
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
  EXPECT_EQ(must(ledger.orders(at(0), pending.list())).size(), 1U);
  must(ledger.store(freeze, at(0)));
  EXPECT_EQ(given().freezes_size(), 1);
  EXPECT_EQ(must(ledger.orders(at(0), pending.list())).size(), 1U);
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
  const auto orders = must(ledger.orders(at(1)));
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
