// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/store/order_book.hpp"

#include <gmock/gmock.h>

#include "tests/unit/collector/support.hpp"

namespace aispm::collector::test {
namespace {

using store::OrderBook;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

pb::CreateOrderRequest block(const std::string& domain, const std::string& host = "") {
  pb::CreateOrderRequest request;
  request.mutable_order()->set_action(pb::ORDER_ACTION_BLOCK);
  request.mutable_order()->mutable_match()->set_domain(domain);
  request.mutable_order()->mutable_match()->set_host_id(host);
  return request;
}

class OrderBookTest : public ::testing::Test {
 protected:
  pb::Order create(const pb::CreateOrderRequest& request, double seconds = 0) {
    return must(book.create(request, "alice", at(seconds)));
  }
  std::vector<std::string> domains_for(const std::string& host, double seconds = 0) {
    std::vector<std::string> domains;
    const auto snapshot = must(book.snapshot_for(host, at(seconds)));
    for (const auto& order : snapshot.orders()) domains.push_back(order.match().domain());
    return domains;
  }

  Bench bench;
  OrderBook book{bench.database()};
};

TEST_F(OrderBookTest, TellsEachHostItsOwnOrdersAndThoseForAll) {
  create(block("all.example"));
  create(block("a.example", "host-a"));
  EXPECT_THAT(domains_for("host-a"), ElementsAre("all.example", "a.example"));
  EXPECT_THAT(domains_for("host-b"), ElementsAre("all.example"));
}

TEST_F(OrderBookTest, MonitorsUnlessToldToEnforce) {
  EXPECT_EQ(create(block("a.example")).mode(), pb::ORDER_MODE_MONITOR);
  auto request = block("b.example");
  request.mutable_order()->set_mode(pb::ORDER_MODE_ENFORCE);
  EXPECT_EQ(create(request).mode(), pb::ORDER_MODE_ENFORCE);
}

TEST_F(OrderBookTest, NotesWhoGaveItAndIgnoresWhatACallerClaims) {
  auto request = block("a.example");
  request.mutable_order()->set_id("chosen");
  request.mutable_order()->set_created_by("mallory");
  request.mutable_order()->set_deleted_by("mallory");
  const pb::Order order = create(request);
  EXPECT_NE(order.id(), "chosen");
  EXPECT_EQ(order.created_by(), "alice");
  EXPECT_EQ(order.deleted_by(), "");
}

TEST_F(OrderBookTest, EveryChangeRaisesTheVersion) {
  const auto version = [&] { return must(book.snapshot_for("host-a", at(0))).version(); };
  const auto before = version();
  const pb::Order order = create(block("a.example"));
  EXPECT_EQ(version(), before + 1);
  must(book.remove(order.id(), "bob", at(1)));
  EXPECT_EQ(version(), before + 2);
}

TEST_F(OrderBookTest, AWithdrawnOrderIsListedAsPastAndNotDistributed) {
  const pb::Order order = create(block("a.example"));
  EXPECT_EQ(must(book.remove(order.id(), "bob", at(1))).deleted_by(), "bob");
  EXPECT_THAT(domains_for("host-a", 2), IsEmpty());
  pb::ListOrdersRequest request;
  EXPECT_EQ(must(book.list(request, at(2))).orders_size(), 0);
  request.set_with_past(true);
  EXPECT_EQ(must(book.list(request, at(2))).orders(0).deleted_by(), "bob");
  EXPECT_EQ(book.remove(order.id(), "bob", at(2)).error().code, Errc::kNotFound);
}

TEST_F(OrderBookTest, AnOrderEndsByItself) {
  auto request = block("a.example");
  request.set_valid_seconds(60);
  create(request);
  EXPECT_THAT(domains_for("host-a", 59), ElementsAre("a.example"));
  EXPECT_THAT(domains_for("host-a", 60), IsEmpty());
}

TEST_F(OrderBookTest, ShowsWhatEachHostMakesOfAnOrder) {
  const pb::Order order = create(block("a.example"));
  pb::AckOrdersRequest ack;
  ack.add_states()->set_order_id(order.id());
  ack.add_states()->set_order_id("unknown");
  must(book.acknowledge("host-a", ack, at(1)));
  ack.mutable_states(0)->set_problem("no BPF LSM");
  must(book.acknowledge("host-b", ack, at(2)));
  must(book.acknowledge("host-b", ack, at(3)));
  const pb::OrderList list = must(book.list({}, at(3)));
  ASSERT_EQ(list.orders(0).states_size(), 2);
  EXPECT_TRUE(list.orders(0).states(0).in_force());
  EXPECT_FALSE(list.orders(0).states(1).in_force());
  EXPECT_EQ(list.orders(0).states(1).problem(), "no BPF LSM");
}

TEST_F(OrderBookTest, CutsALongProblemBetweenCharacters) {
  const pb::Order order = create(block("a.example"));
  pb::AckOrdersRequest ack;
  ack.add_states()->set_order_id(order.id());
  std::string umlauts = "x";
  for (int i = 0; i < 200; ++i) umlauts += "\u00fc";
  ack.mutable_states(0)->set_problem(umlauts);
  must(book.acknowledge("host-a", ack, at(1)));
  const pb::OrderList list = must(book.list({}, at(1)));
  EXPECT_EQ(list.orders(0).states(0).problem(), umlauts.substr(0, 255));
}

TEST_F(OrderBookTest, ListsPageByPageNewestFirst) {
  for (const char* domain : {"1.example", "2.example", "3.example"}) create(block(domain));
  pb::ListOrdersRequest request;
  request.set_page_size(2);
  const pb::OrderList first = must(book.list(request, at(0)));
  ASSERT_EQ(first.orders_size(), 2);
  EXPECT_EQ(first.orders(0).match().domain(), "3.example");
  request.set_page_token(first.next_page_token());
  const pb::OrderList second = must(book.list(request, at(0)));
  ASSERT_EQ(second.orders_size(), 1);
  EXPECT_EQ(second.orders(0).match().domain(), "1.example");
  EXPECT_EQ(second.next_page_token(), "");
}

TEST_F(OrderBookTest, HoldsNoMoreThanSensorsCan) {
  for (std::size_t i = 0; i < OrderBook::kMaxLive; ++i)
    create(block(std::to_string(i) + ".example"));
  const auto more = book.create(block("more.example"), "alice", at(0));
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().code, Errc::kExhausted);
}

struct BadOrder {
  const char* field;
  void (*spoil)(pb::Order&);
};

class CheckOrder : public ::testing::TestWithParam<BadOrder> {};

TEST_P(CheckOrder, NamesTheFieldThatIsWrong) {
  pb::Order order = block("a.example").order();
  ASSERT_TRUE(store::check_order(order));
  GetParam().spoil(order);
  const auto checked = store::check_order(order);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, Errc::kInvalid);
  EXPECT_THAT(checked.error().message, HasSubstr(GetParam().field));
}

INSTANTIATE_TEST_SUITE_P(
    OrderBook, CheckOrder,
    ::testing::Values(
        BadOrder{"action", [](pb::Order& o) { o.set_action(pb::ORDER_ACTION_UNSPECIFIED); }},
        BadOrder{"action", [](pb::Order& o) { o.set_action(static_cast<pb::OrderAction>(99)); }},
        BadOrder{"mode", [](pb::Order& o) { o.set_mode(static_cast<pb::OrderMode>(99)); }},
        BadOrder{"fit everything", [](pb::Order& o) { o.clear_match(); }},
        BadOrder{"quarantine and kill need",
                 [](pb::Order& o) { o.set_action(pb::ORDER_ACTION_KILL); }},
        BadOrder{"match.pid", [](pb::Order& o) { o.mutable_match()->set_pid(77); }},
        BadOrder{"match.pid",
                 [](pb::Order& o) {
                   o.mutable_match()->set_pid(77);
                   o.mutable_match()->set_start_boottime_ns(1);
                 }},
        BadOrder{"match.pid",
                 [](pb::Order& o) {
                   o.mutable_match()->set_host_id("h");
                   o.mutable_match()->set_pid(1);
                   o.mutable_match()->set_start_boottime_ns(1);
                 }},
        BadOrder{"match.container_id",
                 [](pb::Order& o) { o.mutable_match()->set_container_id("abc"); }},
        BadOrder{"match.ports", [](pb::Order& o) { o.mutable_match()->add_ports(70000); }},
        BadOrder{"programs", [](pb::Order& o) { o.add_programs(""); }},
        BadOrder{"egress",
                 [](pb::Order& o) {
                   for (std::size_t i = 0; i <= OrderBook::kMaxListItems; ++i) o.add_egress("x");
                 }},
        BadOrder{"reason", [](pb::Order& o) { o.set_reason("two\nlines"); }},
        BadOrder{"match.exe",
                 [](pb::Order& o) { o.mutable_match()->set_exe(std::string(300, 'x')); }}));

}  // namespace
}  // namespace aispm::collector::test
