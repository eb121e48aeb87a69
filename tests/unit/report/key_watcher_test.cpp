// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sdk/core/common/file.hpp"
#include "sdk/core/report/reporter.hpp"
#include "tests/unit/report/collector_fixture.hpp"

namespace aispm::report {
namespace {

using aispm::testing::FakeCollector;

// What a watcher announced, and waiting for it.
class Announced {
 public:
  KeyWatcher::OnChange callback() {
    return [this](std::vector<AgentKey> keys) {
      const std::scoped_lock guard(mutex_);
      agents_.clear();
      for (const AgentKey& key : keys) agents_.push_back(key.agent_id);
      ++count_;
      changed_.notify_all();
    };
  }
  bool wait(const std::vector<std::string>& agents) {
    std::unique_lock guard(mutex_);
    return changed_.wait_for(guard, std::chrono::seconds(20),
                             [&] { return count_ > 0 && agents_ == agents; });
  }
  bool any() {
    const std::scoped_lock guard(mutex_);
    return count_ > 0;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> agents_;
  int count_ = 0;
};

using KeyWatcherTest = CollectorFixture;

TEST_F(KeyWatcherTest, AnnouncesKeysAndEveryChange) {
  Announced announced;
  const auto watcher =
      KeyWatcher::open(options(collector.make_token()), announced.callback()).value();
  ASSERT_TRUE(announced.wait({}));
  collector.set_keys({"a", "b"});
  ASSERT_TRUE(announced.wait({"a", "b"}));
  collector.set_keys({"b"});
  EXPECT_TRUE(announced.wait({"b"}));
}

TEST_F(KeyWatcherTest, KnowsItsAgentsWhenTheCollectorIsDown) {
  collector.set_keys({"a"});
  {
    Announced announced;
    const auto watcher =
        KeyWatcher::open(options(collector.make_token()), announced.callback()).value();
    ASSERT_TRUE(announced.wait({"a"}));
  }
  collector.stop();
  Announced announced;
  const auto watcher = KeyWatcher::open(options(), announced.callback()).value();
  EXPECT_TRUE(announced.wait({"a"}));
}

TEST_F(KeyWatcherTest, FollowsAgainAfterARestartOfTheCollector) {
  Announced announced;
  const auto watcher =
      KeyWatcher::open(options(collector.make_token()), announced.callback()).value();
  ASSERT_TRUE(announced.wait({}));
  collector.stop();
  collector.set_keys({"new"});
  collector.start();
  EXPECT_TRUE(announced.wait({"new"}));
}

TEST_F(KeyWatcherTest, ADamagedCacheIsNotUsed) {
  collector.set_keys({"a"});
  {
    Announced announced;
    const auto watcher =
        KeyWatcher::open(options(collector.make_token()), announced.callback()).value();
    ASSERT_TRUE(announced.wait({"a"}));
  }
  collector.stop();
  damage("agent_keys");
  Announced announced;
  { const auto watcher = KeyWatcher::open(options(), announced.callback()).value(); }
  EXPECT_FALSE(announced.any());
}

TEST_F(KeyWatcherTest, SharesOneEnrolmentWithAReporter) {
  const std::string token = collector.make_token();
  Announced announced;
  const auto reporter = Reporter::open(options(token)).value();
  const auto watcher = KeyWatcher::open(options(token), announced.callback()).value();
  ASSERT_TRUE(announced.wait({}));
  ASSERT_TRUE(collector.wait([](const FakeCollector& at) { return at.last_hello.has_value(); }));
  EXPECT_EQ(collector.enrolments, 1U);
}

}  // namespace
}  // namespace aispm::report
