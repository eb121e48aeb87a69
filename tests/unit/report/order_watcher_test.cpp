// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/report/order_watcher.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

#include "sdk/core/common/file.hpp"
#include "tests/unit/report/collector_fixture.hpp"

namespace aispm::report {
namespace {

using aispm::testing::FakeCollector;
using Ids = std::vector<std::string>;

v1::Order order(const std::string& id) {
  v1::Order made;
  made.set_id(id);
  made.set_action(v1::ORDER_ACTION_BLOCK);
  made.set_mode(v1::ORDER_MODE_ENFORCE);
  made.mutable_match()->set_domain("api.example.com");
  return made;
}

// What a watcher announced, and waiting for it.
class Announced {
 public:
  OrderWatcher::OnChange callback() {
    return [this](std::vector<model::Order> orders, std::uint64_t version) {
      const std::scoped_lock guard(mutex_);
      ids_.clear();
      for (const model::Order& one : orders) ids_.push_back(one.id);
      version_ = version;
      ++count_;
      changed_.notify_all();
    };
  }
  bool wait(const Ids& ids) {
    std::unique_lock guard(mutex_);
    return changed_.wait_for(guard, std::chrono::seconds(20),
                             [&] { return count_ > 0 && ids_ == ids; });
  }
  std::uint64_t version() {
    const std::scoped_lock guard(mutex_);
    return version_;
  }
  bool any() {
    const std::scoped_lock guard(mutex_);
    return count_ > 0;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  Ids ids_;
  std::uint64_t version_ = 0;
  int count_ = 0;
};

class OrderWatcherTest : public CollectorFixture {
 protected:
  // Leaves `orders` in the state folder, and the collector down.
  void store(const std::vector<v1::Order>& orders, const Ids& ids) {
    collector.set_orders(orders);
    Announced announced;
    const auto watcher =
        OrderWatcher::open(options(collector.make_token()), announced.callback()).value();
    ASSERT_TRUE(announced.wait(ids));
    collector.stop();
  }
};

TEST_F(OrderWatcherTest, AnnouncesOrdersAndEveryChange) {
  Announced announced;
  const auto watcher =
      OrderWatcher::open(options(collector.make_token()), announced.callback()).value();
  ASSERT_TRUE(announced.wait({}));
  collector.set_orders({order("a"), order("b")});
  ASSERT_TRUE(announced.wait({"a", "b"}));
  collector.set_orders({order("b")});
  EXPECT_TRUE(announced.wait({"b"}));
  EXPECT_EQ(announced.version(), 2U);
}

TEST_F(OrderWatcherTest, OrdersStayInForceWhileTheCollectorIsDown) {
  store({order("a")}, {"a"});
  Announced announced;
  const auto watcher = OrderWatcher::open(options(), announced.callback()).value();
  EXPECT_TRUE(announced.wait({"a"}));
}

TEST_F(OrderWatcherTest, AWithdrawnOrderDoesNotComeBackWithARestart) {
  collector.set_orders({order("a")});
  {
    Announced announced;
    const auto watcher =
        OrderWatcher::open(options(collector.make_token()), announced.callback()).value();
    ASSERT_TRUE(announced.wait({"a"}));
    collector.set_orders({});
    ASSERT_TRUE(announced.wait({}));
  }
  collector.stop();
  Announced announced;
  const auto watcher = OrderWatcher::open(options(), announced.callback()).value();
  EXPECT_TRUE(announced.wait({}));
}

TEST_F(OrderWatcherTest, ADamagedFileAnnouncesNothingSoThatPinnedRulesStay) {
  store({order("a")}, {"a"});
  damage("orders");
  Announced announced;
  { const auto watcher = OrderWatcher::open(options(), announced.callback()).value(); }
  EXPECT_FALSE(announced.any());
}

TEST_F(OrderWatcherTest, AcknowledgesWithWhatItCouldNotUnderstand) {
  v1::Order strange = order("strange");
  strange.set_action(static_cast<v1::OrderAction>(99));
  collector.set_orders({order("a"), strange});
  Announced announced;
  const auto watcher =
      OrderWatcher::open(options(collector.make_token()), announced.callback()).value();
  ASSERT_TRUE(announced.wait({"a"}));
  watcher->acknowledge(announced.version(), {{"a", ""}});
  EXPECT_TRUE(collector.wait([](const FakeCollector& at) {
    return at.last_ack && at.last_ack->version() == 1 && at.last_ack->states_size() == 2 &&
           at.last_ack->states(0).order_id() == "a" && at.last_ack->states(0).problem().empty() &&
           at.last_ack->states(1).order_id() == "strange" &&
           !at.last_ack->states(1).problem().empty();
  }));
}

// GRD-009: a freeze does not wait for the disk; the word that it outlives a restart does.
TEST_F(OrderWatcherTest, SaysWhichOrdersWillNotOutliveARestart) {
  // A folder in the place of the file: nothing can be stored.
  ASSERT_TRUE(make_directories(folder / "state/orders", 0700));
  Announced announced;
  const auto watcher =
      OrderWatcher::open(options(collector.make_token()), announced.callback()).value();
  collector.set_orders({order("a")});
  ASSERT_TRUE(announced.wait({"a"})) << "in force in any case";
  watcher->acknowledge(announced.version(), {{"a", ""}});
  EXPECT_TRUE(collector.wait([](const FakeCollector& at) {
    return at.last_ack && at.last_ack->states_size() == 1 &&
           at.last_ack->states(0).problem().starts_with("not kept over a restart");
  }));
}

TEST_F(OrderWatcherTest, RepeatsAnAcknowledgementThatTheCollectorRefused) {
  collector.refused_acks = 1;
  Announced announced;
  const auto watcher =
      OrderWatcher::open(options(collector.make_token()), announced.callback()).value();
  ASSERT_TRUE(announced.wait({}));
  watcher->acknowledge(7, {});
  EXPECT_TRUE(collector.wait(
      [](const FakeCollector& at) { return at.last_ack && at.last_ack->version() == 7; }));
}

TEST_F(OrderWatcherTest, NeedsACollectorAndAStateFolder) {
  ReporterOptions without = options();
  without.state_folder.clear();
  const auto opened = OrderWatcher::open(without, [](auto, auto) {});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::kInvalid);
}

}  // namespace
}  // namespace aispm::report
