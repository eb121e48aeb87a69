// SPDX-License-Identifier: Apache-2.0
// GW-044: budgets are never promised twice, count by UTC's days and months, and outlive the
// gateway.
#include "gateway/proxy/limits/budget_ledger.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "tests/support/temp_folder.hpp"

namespace aispm::gateway {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kDay = 86'400 * kSecond;
// 2026-11-30T23:00:00Z, the last hour of a month.
constexpr WallTime kLate{(20'787 * 86'400LL + 23 * 3600) * kSecond};
const Spender kAnn{.tenant = "acme", .user = "ann", .agent = "ann/coder", .session = "s1"};

WallTime after(WallTime time, std::int64_t nanoseconds) { return {time.nanoseconds + nanoseconds}; }

class BudgetLedgerTest : public ::testing::Test {
 protected:
  std::unique_ptr<BudgetLedger> open(std::vector<Budget> budgets, std::size_t accounts = 16'384) {
    BudgetConfig config;
    for (Budget& budget : budgets)
      if (budget.id.empty())
        budget.id = std::string(name_of(budget.of)) + "." + std::string(name_of(budget.per)) +
                    (budget.is_money ? ".usd" : ".tokens");
    config.budgets = std::move(budgets);
    config.state_file = folder_ / "budgets.json";
    config.accounts = accounts;
    auto ledger = BudgetLedger::open(config);
    EXPECT_TRUE(ledger) << ledger.error().message;
    return ledger ? std::move(*ledger) : nullptr;
  }
  // Reserves and settles; how much of what was asked passed.
  static bool spend(BudgetLedger& ledger, const Spender& who, std::uint64_t tokens, WallTime now) {
    BudgetVerdict verdict = ledger.reserve(who, {.tokens = tokens}, now);
    if (verdict.passes) (void)ledger.settle(std::move(verdict.reservation), {.tokens = tokens});
    return verdict.passes;
  }

  aispm::testing::TempFolder folder_;
};

TEST_F(BudgetLedgerTest, PromisesNothingTwice) {
  const auto ledger = open({{.of = BudgetOf::kTenant, .limit = 1000}});
  BudgetVerdict first = ledger->reserve(kAnn, {.tokens = 700}, kLate);
  ASSERT_TRUE(first.passes);
  const BudgetVerdict second = ledger->reserve(kAnn, {.tokens = 301}, kLate);
  EXPECT_FALSE(second.passes);
  EXPECT_EQ(second.state.used, 700U);
  EXPECT_THAT(describe(second.state),
              HasSubstr("of 1000 tokens that this tenant may use in a day"));
  (void)ledger->settle(std::move(first.reservation), {.tokens = 100});
  EXPECT_TRUE(ledger->reserve(kAnn, {.tokens = 900}, kLate).passes);
}

TEST_F(BudgetLedgerTest, ReservesOfAllBudgetsOrOfNone) {
  const auto ledger =
      open({{.of = BudgetOf::kTenant, .limit = 1000}, {.of = BudgetOf::kAgent, .limit = 100}});
  EXPECT_FALSE(ledger->reserve(kAnn, {.tokens = 200}, kLate).passes);
  Spender other = kAnn;
  for (int i = 0; i < 10; ++i) {
    other.agent = "ann/" + std::to_string(i);
    EXPECT_TRUE(spend(*ledger, other, 100, kLate)) << i;
  }
  other.agent = "ann/last";
  EXPECT_FALSE(spend(*ledger, other, 1, kLate));
}

TEST_F(BudgetLedgerTest, IsExactOver32Threads) {
  const auto ledger =
      open({{.of = BudgetOf::kTenant, .limit = 10'000}, {.of = BudgetOf::kAgent, .limit = 6'000}});
  std::atomic<std::uint64_t> spent{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 32; ++thread)
    threads.emplace_back([&, thread] {
      Spender who = kAnn;
      who.agent = thread % 2 == 0 ? "a" : "b";
      for (int i = 0; i < 100; ++i) {
        BudgetVerdict verdict = ledger->reserve(who, {.tokens = 20}, kLate);
        if (!verdict.passes) continue;
        (void)ledger->settle(std::move(verdict.reservation), {.tokens = 10});
        spent += 10;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(spent, 10'000U);
  Spender both = kAnn;
  both.agent = "a";
  const auto states = ledger->look(both, kLate);
  ASSERT_EQ(states.size(), 2U);
  EXPECT_EQ(states[0].used, spent) << "nothing stays reserved, nothing is lost";
  // The tenant has just enough for one more of ten.
  while (ledger->look(both, kLate)[0].used < 10'000 && spend(*ledger, both, 10, kLate)) {
  }
  EXPECT_LE(ledger->look(both, kLate)[0].used, 10'000U);
  EXPECT_LE(ledger->look(both, kLate)[1].used, 6'000U);
}

TEST_F(BudgetLedgerTest, BeginsAnewWithUtcsDayAndMonth) {
  const auto ledger = open({{.of = BudgetOf::kAgent, .per = BudgetPer::kDay, .limit = 100},
                            {.of = BudgetOf::kAgent, .per = BudgetPer::kMonth, .limit = 150}});
  EXPECT_TRUE(spend(*ledger, kAnn, 100, after(kLate, -kDay)));
  EXPECT_TRUE(spend(*ledger, kAnn, 50, kLate)) << "another day";
  EXPECT_FALSE(spend(*ledger, kAnn, 1, kLate)) << "the same month";
  const BudgetVerdict refused = ledger->reserve(kAnn, {.tokens = 1}, kLate);
  EXPECT_EQ(to_rfc3339(refused.state.ends).substr(0, 19), "2026-12-01T00:00:00");
  EXPECT_FALSE(spend(*ledger, kAnn, 1, after(kLate, 3600 * kSecond - 1)));
  EXPECT_TRUE(spend(*ledger, kAnn, 100, after(kLate, 3600 * kSecond)));
}

TEST_F(BudgetLedgerTest, CountsACallForTheDayInWhichItBegan) {
  const auto ledger = open({{.of = BudgetOf::kAgent, .limit = 100}});
  BudgetVerdict late = ledger->reserve(kAnn, {.tokens = 90}, kLate);
  const WallTime next = after(kLate, 2 * 3600 * kSecond);
  ASSERT_TRUE(spend(*ledger, kAnn, 10, next));
  (void)ledger->settle(std::move(late.reservation), {.tokens = 90});
  EXPECT_EQ(ledger->look(kAnn, next)[0].used, 10U);
}

TEST_F(BudgetLedgerTest, OpensNoSecondDayWhenTheClockIsSetBack) {
  const auto ledger = open({{.of = BudgetOf::kAgent, .limit = 100}});
  ASSERT_TRUE(spend(*ledger, kAnn, 100, kLate));
  EXPECT_FALSE(spend(*ledger, kAnn, 1, after(kLate, -kDay)));
}

TEST_F(BudgetLedgerTest, WarnsOnceAndSaysTheFirstRefusal) {
  const auto ledger = open({{.of = BudgetOf::kAgent, .limit = 100}});
  const auto settle = [&](std::uint64_t tokens) {
    BudgetVerdict verdict = ledger->reserve(kAnn, {.tokens = tokens}, kLate);
    return ledger->settle(std::move(verdict.reservation), {.tokens = tokens});
  };
  EXPECT_TRUE(settle(79).empty());
  const auto warned = settle(1);
  ASSERT_EQ(warned.size(), 1U);
  EXPECT_EQ(warned[0].used, 80U);
  EXPECT_TRUE(settle(1).empty());
  EXPECT_TRUE(ledger->reserve(kAnn, {.tokens = 50}, kLate).is_first);
  EXPECT_FALSE(ledger->reserve(kAnn, {.tokens = 50}, kLate).is_first);
}

TEST_F(BudgetLedgerTest, HasSpentAllThatWasReservedWhenNobodySettles) {
  const auto ledger = open({{.of = BudgetOf::kAgent, .limit = 100}});
  { const BudgetVerdict dropped = ledger->reserve(kAnn, {.tokens = 60}, kLate); }
  EXPECT_EQ(ledger->look(kAnn, kLate)[0].used, 60U);
}

TEST_F(BudgetLedgerTest, CountsMoneyInBillionths) {
  const auto ledger = open({{.of = BudgetOf::kAgent, .is_money = true, .limit = 1'000'000'000}});
  EXPECT_TRUE(ledger->has_money());
  EXPECT_TRUE(ledger->reserve(kAnn, {.tokens = 1'000'000, .nano_usd = 999'999'999}, kLate).passes);
  const BudgetVerdict refused = ledger->reserve(kAnn, {.nano_usd = 2}, kLate);
  EXPECT_FALSE(refused.passes);
  EXPECT_THAT(describe(refused.state), HasSubstr("of 1.0000 USD that this agent may use"));
}

TEST_F(BudgetLedgerTest, ChangesWhatIsReservedWhereTheRestSuffices) {
  const auto ledger = open({{.of = BudgetOf::kAgent, .limit = 1000},
                            {.of = BudgetOf::kAgent, .is_money = true, .limit = 100}});
  BudgetVerdict first = ledger->reserve(kAnn, {.tokens = 500, .nano_usd = 40}, kLate);
  const BudgetVerdict other = ledger->reserve(kAnn, {.tokens = 500, .nano_usd = 30}, kLate);
  ASSERT_TRUE(first.passes && other.passes);
  EXPECT_TRUE(ledger->change(first.reservation, {.tokens = 500, .nano_usd = 70}).passes);
  EXPECT_EQ(ledger->look(kAnn, kLate)[1].used, 100U);
  const BudgetVerdict refused = ledger->change(first.reservation, {.tokens = 500, .nano_usd = 71});
  EXPECT_FALSE(refused.passes);
  EXPECT_TRUE(refused.is_first);
  EXPECT_EQ(refused.state.used, 30U);  // of others
  EXPECT_EQ(ledger->look(kAnn, kLate)[1].used, 100U);
  EXPECT_TRUE(ledger->change(first.reservation, {.tokens = 500, .nano_usd = 10}).passes);
  EXPECT_EQ(ledger->look(kAnn, kLate)[0].used, 1000U);
  EXPECT_EQ(ledger->look(kAnn, kLate)[1].used, 40U);
  (void)ledger->settle(std::move(first.reservation), {.tokens = 1, .nano_usd = 1});
  EXPECT_EQ(ledger->look(kAnn, kLate)[1].used, 31U);
}

TEST_F(BudgetLedgerTest, GoesOnAfterARestart) {
  const std::vector<Budget> budgets = {
      {.of = BudgetOf::kAgent, .limit = 100},
      {.of = BudgetOf::kSession, .per = BudgetPer::kSession, .limit = 70}};
  {
    const auto ledger = open(budgets);
    ASSERT_TRUE(spend(*ledger, kAnn, 40, kLate));
    BudgetVerdict running = ledger->reserve(kAnn, {.tokens = 20}, kLate);
    ASSERT_TRUE(ledger->save());
    (void)ledger->settle(std::move(running.reservation), {.tokens = 1});  // after the crash
  }
  const auto again = open(budgets);
  EXPECT_EQ(again->look(kAnn, kLate)[0].used, 60U) << "what was reserved counts as spent";
  EXPECT_FALSE(spend(*again, kAnn, 11, kLate)) << "the session's";
  EXPECT_TRUE(spend(*again, kAnn, 10, kLate));
}

TEST_F(BudgetLedgerTest, RefusesADamagedRecord) {
  BudgetConfig config;
  config.budgets = {{.id = "a", .limit = 1}};
  config.state_file = folder_ / "budgets.json";
  for (const char* const text :
       {"", "{", "[]", "{\"version\":2,\"accounts\":[]}",
        "{\"version\":1,\"accounts\":[[\"a\",\"t\",\"n\",1,-5,true,true]]}",
        "{\"version\":1,\"accounts\":[[\"a\"]]}"}) {
    std::ofstream(config.state_file) << text;
    const auto opened = BudgetLedger::open(config);
    ASSERT_FALSE(opened) << text;
    EXPECT_EQ(opened.error().code, Errc::kInvalid);
    EXPECT_THAT(opened.error().message, HasSubstr("is no record of budgets"));
  }
}

TEST_F(BudgetLedgerTest, ForgetsSessionsButNeverOtherAccounts) {
  const auto sessions =
      open({{.of = BudgetOf::kSession, .per = BudgetPer::kSession, .limit = 10}}, 1024);
  for (int i = 0; i < 4000; ++i) {
    Spender who = kAnn;
    who.session = std::to_string(i);
    ASSERT_TRUE(spend(*sessions, who, 1, kLate)) << i;
  }
  EXPECT_GE(sessions->forgotten(), 4000U - 1024U - 64U * 16U);
  const auto agents = open({{.id = "x", .of = BudgetOf::kAgent, .limit = 10}}, 1024);
  std::uint64_t refused = 0;
  for (int i = 0; i < 4000; ++i) {
    Spender who = kAnn;
    who.agent = std::to_string(i);
    refused += spend(*agents, who, 1, kLate) ? 0 : 1;
  }
  EXPECT_GT(refused, 0U);
  EXPECT_EQ(agents->refused_full(), refused);
  EXPECT_TRUE(spend(*agents, {.agent = "new"}, 1, after(kLate, 2 * kDay)))
      << "days that are over go";
}

TEST_F(BudgetLedgerTest, GivesCallsWithoutASessionOneForEachDay) {
  const auto ledger = open({{.of = BudgetOf::kSession, .per = BudgetPer::kSession, .limit = 10}});
  Spender who = kAnn;
  who.session.clear();
  EXPECT_TRUE(spend(*ledger, who, 10, kLate));
  EXPECT_FALSE(spend(*ledger, who, 1, kLate));
  EXPECT_TRUE(spend(*ledger, who, 1, after(kLate, kDay)));
}

}  // namespace
}  // namespace aispm::gateway
