// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

#include "sdk/core/common/file.hpp"
#include "sdk/core/report/freeze_watcher.hpp"
#include "sdk/core/report/policy_watcher.hpp"
#include "tests/unit/report/collector_fixture.hpp"

namespace aispm::report {
namespace {

// The last book a watcher announced.
template <typename Book>
class Latest {
 public:
  // Freezes also want to hear that they are in force.
  auto callback() {
    return [this](std::shared_ptr<const Book> book, const auto&... say) {
      const std::scoped_lock guard(mutex_);
      book_ = std::move(book);
      changed_.notify_all();
      (say(""), ...);
    };
  }
  template <typename Is>
  bool wait(Is is) {
    std::unique_lock guard(mutex_);
    return changed_.wait_for(guard, std::chrono::seconds(20), [&] { return book_ && is(*book_); });
  }
  std::shared_ptr<const Book> now() {
    const std::scoped_lock guard(mutex_);
    return book_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<const Book> book_;
};
using Freezes = Latest<policy::FreezeBook>;
using Policies = Latest<policy::PolicyBook>;

v1::Freeze freeze(const std::string& agent) {
  v1::Freeze made;
  made.set_id("f-" + agent);
  made.set_scope(v1::FREEZE_SCOPE_AGENT);
  made.set_value(agent);
  made.set_reason("because");
  return made;
}

v1::PolicySnapshot::Assigned policy_of(const std::string& content, std::uint64_t version = 1) {
  v1::PolicySnapshot::Assigned made;
  made.set_policy_id("p");
  made.set_version(version);
  made.set_stage(v1::POLICY_STAGE_ENFORCED);
  auto* const file = made.add_files();
  file->set_path("actions.yaml");
  file->set_content(content);
  made.set_digest(policy::bundle_digest({{"actions.yaml", content}}));
  return made;
}

bool is_frozen(const policy::FreezeBook& book, const std::string& agent) {
  return book.find({.agent = agent}, wall_now()) != nullptr;
}

using FreezeWatcherTest = CollectorFixture;
using PolicyWatcherTest = CollectorFixture;

TEST_F(FreezeWatcherTest, FollowsAndAcknowledges) {
  Freezes seen;
  const auto watcher =
      FreezeWatcher::open(options(collector.make_token()), seen.callback()).value();
  ASSERT_NE(seen.now(), nullptr);  // before open() returned
  auto strange = freeze("b");
  strange.set_id("strange");
  strange.set_scope(static_cast<v1::FreezeScope>(77));
  collector.set_freezes({freeze("a"), strange});
  ASSERT_TRUE(seen.wait([](const auto& book) { return is_frozen(book, "a"); }));
  EXPECT_FALSE(is_frozen(*seen.now(), "b"));
  ASSERT_TRUE(collector.wait(
      [](auto& fake) { return fake.last_freeze_ack && fake.last_freeze_ack->states_size() == 2; }));
  EXPECT_EQ(collector.last_freeze_ack->states(0).problem(), "");
  EXPECT_NE(collector.last_freeze_ack->states(1).problem(), "");
  collector.set_freezes({});
  EXPECT_TRUE(seen.wait([](const auto& book) { return book.empty(); }));
}

TEST_F(FreezeWatcherTest, SurvivesARestartAndAnUnreachableCollector) {  // GRD-007
  collector.set_freezes({freeze("a")});
  {
    Freezes seen;
    const auto watcher =
        FreezeWatcher::open(options(collector.make_token()), seen.callback()).value();
    ASSERT_TRUE(seen.wait([](const auto& book) { return is_frozen(book, "a"); }));
  }
  collector.stop();
  Freezes seen;
  const auto watcher = FreezeWatcher::open(options(), seen.callback()).value();
  EXPECT_TRUE(is_frozen(*seen.now(), "a"));
}

TEST_F(FreezeWatcherTest, SaysWhatWillNotOutliveARestart) {
  // A folder in the place of the file: nothing can be stored.
  ASSERT_TRUE(make_directories(folder / "state/freezes", 0700));
  Freezes seen;
  const auto watcher =
      FreezeWatcher::open(options(collector.make_token()), seen.callback()).value();
  collector.set_freezes({freeze("a")});
  ASSERT_TRUE(collector.wait(
      [](auto& fake) { return fake.last_freeze_ack && fake.last_freeze_ack->states_size() == 1; }));
  EXPECT_TRUE(is_frozen(*seen.now(), "a"));
  EXPECT_THAT(collector.last_freeze_ack->states(0).problem(), ::testing::HasSubstr("restart"));
}

TEST_F(FreezeWatcherTest, SaysWhatIsLateAndWhenItIsNotAnyMore) {
  std::mutex mutex;
  FreezeWatcher::Say say;
  FreezeWatcher::Say say_of_before;
  const auto watcher =
      FreezeWatcher::open(options(collector.make_token()), [&](const auto&,
                                                               FreezeWatcher::Say told) {
        told("a worker is late");
        const std::scoped_lock guard(mutex);
        say_of_before = std::exchange(say, std::move(told));
      }).value();
  collector.set_freezes({freeze("a")});
  const auto problem_is = [&](const std::string& problem) {
    return collector.wait([&](auto& fake) {
      return fake.last_freeze_ack && fake.last_freeze_ack->states_size() == 1 &&
             fake.last_freeze_ack->states(0).problem() == problem;
    });
  };
  ASSERT_TRUE(problem_is("a worker is late"));
  {
    const std::scoped_lock guard(mutex);
    say_of_before("of a book that is gone");
    say("");
  }
  EXPECT_TRUE(problem_is(""));
}

TEST_F(FreezeWatcherTest, ADamagedFileFreezesEverybody) {
  collector.stop();
  ASSERT_TRUE(make_directories(folder / "state", 0700));
  ASSERT_TRUE(write_file_atomically(folder / "state/freezes", "rubbish", 0600));
  Freezes seen;
  const auto watcher = FreezeWatcher::open(options(), seen.callback()).value();
  EXPECT_TRUE(is_frozen(*seen.now(), "anybody"));
}

TEST_F(PolicyWatcherTest, CompilesAndSaysWhatCameOfEach) {  // POL-008
  Policies seen;
  const auto watcher =
      PolicyWatcher::open(options(collector.make_token()), {}, seen.callback()).value();
  ASSERT_TRUE(seen.wait([](const auto& book) { return book.empty(); }));
  collector.set_policies({policy_of("rules: [{id: a, match: {tool: t}, outcome: allow}]")});
  ASSERT_TRUE(seen.wait([](const auto& book) { return !book.empty(); }));
  collector.set_policies({policy_of("rules: 7", 2)});
  ASSERT_TRUE(collector.wait([](auto& fake) {
    return fake.last_policy_ack && fake.last_policy_ack->states_size() == 1 &&
           fake.last_policy_ack->states(0).version() == 2;
  }));
  EXPECT_NE(collector.last_policy_ack->states(0).problem(), "");
  EXPECT_EQ(seen.now()->choose("x", "").enforced->version, 1U);
}

TEST_F(PolicyWatcherTest, SurvivesARestartAndADamagedFileDeniesEverybody) {
  collector.set_policies({policy_of("rules: [{id: a, match: {tool: t}, outcome: allow}]")});
  {
    Policies seen;
    const auto watcher =
        PolicyWatcher::open(options(collector.make_token()), {}, seen.callback()).value();
    ASSERT_TRUE(seen.wait([](const auto& book) { return !book.empty(); }));
  }
  collector.stop();
  {
    Policies seen;
    const auto watcher = PolicyWatcher::open(options(), {}, seen.callback()).value();
    EXPECT_EQ(seen.now()->choose("x", "").enforced->version, 1U);
  }
  auto kept = read_file(folder / "state/policies", 1U << 20).value();
  kept.back() ^= 1;
  ASSERT_TRUE(write_file_atomically(folder / "state/policies", kept, 0600));
  Policies seen;
  const auto watcher = PolicyWatcher::open(options(), {}, seen.callback()).value();
  const auto choice = seen.now()->choose("x", "");
  ASSERT_NE(choice.enforced, nullptr);
  EXPECT_EQ(choice.enforced->bundle, nullptr);
}

}  // namespace
}  // namespace aispm::report
