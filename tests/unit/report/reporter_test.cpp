// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/report/reporter.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <thread>

#include "sdk/core/common/file.hpp"
#include "tests/unit/report/collector_fixture.hpp"

namespace aispm::report {
namespace {

using aispm::testing::FakeCollector;
using aispm::testing::TempFolder;
using std::chrono::seconds;
using ::testing::HasSubstr;

model::Event numbered(int number) {
  model::Event event;
  event.id = "event-" + std::to_string(number);
  event.body = model::ProcessExit{static_cast<std::uint32_t>(number), 0};
  return event;
}

class ReporterTest : public CollectorFixture {
 protected:
  ReporterOptions options(const std::string& token = "") {
    ReporterOptions made = CollectorFixture::options(token);
    made.batch_events = 16;
    made.batch_delay = std::chrono::milliseconds(5);
    return made;
  }
  std::unique_ptr<Reporter> open(const std::string& token = "") {
    return Reporter::open(options(token)).value();
  }

  void offer(Reporter& reporter, int from, int to) {
    for (int i = from; i < to; ++i) ASSERT_TRUE(reporter.offer(numbered(i))) << i;
  }
  ::testing::AssertionResult arrived(std::size_t count) {
    if (collector.wait([&](const FakeCollector& at) { return at.event_ids.size() >= count; }))
      return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure()
           << collector.event_ids.size() << " of " << count << " events arrived";
  }
  // Stats follow a moment after the collector has answered.
  template <typename Claim>
  bool stats_reach(const Reporter& reporter, Claim claim) {
    for (int i = 0; i < 2000; ++i) {
      if (claim(reporter.stats())) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }
};

TEST_F(ReporterTest, EnrolsWithTheTokenAndDelivers) {
  const auto reporter = open(collector.make_token());
  offer(*reporter, 0, 100);
  ASSERT_TRUE(arrived(100));
  EXPECT_EQ(collector.last_identity, "sensord");
  EXPECT_EQ(collector.last_hello->component(), "sensord");
  EXPECT_FALSE(collector.last_hello->hostname().empty());
  EXPECT_TRUE(
      stats_reach(*reporter, [](const ReporterStats& stats) { return stats.acknowledged == 100; }));
  EXPECT_TRUE(reporter->stats().connected);
  EXPECT_EQ(reporter->stats().last_error, "");
}

TEST_F(ReporterTest, StoresItsKeyForItselfOnly) {
  const auto reporter = open(collector.make_token());
  offer(*reporter, 0, 1);
  ASSERT_TRUE(arrived(1));
  struct stat info {};
  ASSERT_EQ(::stat((folder / "state/client.key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  ASSERT_EQ(::stat((folder / "state").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700U);
}

TEST_F(ReporterTest, UsesTheTokenOnce) {
  const std::string token = collector.make_token();
  for (int run = 0; run < 2; ++run) {
    const auto reporter = open(token);
    offer(*reporter, run, run + 1);
    ASSERT_TRUE(arrived(static_cast<std::size_t>(run) + 1));
  }
  EXPECT_EQ(collector.enrolments, 1U);
}

TEST_F(ReporterTest, SendsMachineIdAndHostnameWhenEnrolling) {
  const auto reporter = open(collector.make_token());
  ASSERT_TRUE(collector.wait([](const FakeCollector& at) { return at.last_hello.has_value(); }));
  EXPECT_EQ(collector.last_enrolment->machine_id(), collector.last_hello->host().machine_id());
  EXPECT_FALSE(collector.last_enrolment->hostname().empty());
}

TEST_F(ReporterTest, NeverShowsTheTokenToAServerWithAnotherCa) {
  FakeCollector other;
  ReporterOptions wrong = options(collector.make_token());
  wrong.collector = other.address();
  const auto reporter = Reporter::open(wrong).value();
  EXPECT_TRUE(
      stats_reach(*reporter, [](const ReporterStats& stats) { return !stats.last_error.empty(); }));
  EXPECT_FALSE(reporter->stats().connected);
  EXPECT_FALSE(other.last_enrolment);
}

TEST_F(ReporterTest, NeverShowsTheTokenToAServerOfAnotherName) {
  FakeCollector elsewhere({"collector.example"});
  ReporterOptions wrong = options(elsewhere.make_token());
  wrong.collector = elsewhere.address();
  const auto reporter = Reporter::open(wrong).value();
  EXPECT_TRUE(
      stats_reach(*reporter, [](const ReporterStats& stats) { return !stats.last_error.empty(); }));
  EXPECT_FALSE(elsewhere.last_enrolment);
}

TEST_F(ReporterTest, SaysWhatToDoWithoutCertificateAndToken) {
  const auto reporter = open();
  EXPECT_TRUE(
      stats_reach(*reporter, [](const ReporterStats& stats) { return !stats.last_error.empty(); }));
  EXPECT_THAT(reporter->stats().last_error, HasSubstr("aispm enrol-token create"));
}

TEST_F(ReporterTest, SaysThatAUsedTokenIsRefused) {
  const std::string token = collector.make_token();
  {
    const auto reporter = open(token);
    ASSERT_TRUE(collector.wait([](const FakeCollector& at) { return at.enrolments == 1; }));
  }
  std::filesystem::remove_all(folder / "state");
  const auto reporter = open(token);
  EXPECT_TRUE(
      stats_reach(*reporter, [](const ReporterStats& stats) { return !stats.last_error.empty(); }));
  EXPECT_THAT(reporter->stats().last_error, HasSubstr("unknown or used"));
}

TEST_F(ReporterTest, RefusesACertificateForAnotherComponent) {
  collector.wrong_component = "gateway";
  const auto reporter = open(collector.make_token());
  EXPECT_TRUE(
      stats_reach(*reporter, [](const ReporterStats& stats) { return !stats.last_error.empty(); }));
  EXPECT_THAT(reporter->stats().last_error, HasSubstr("instead of `sensord`"));
}

TEST_F(ReporterTest, EnrolsAnewWithATokenOfANewCa) {
  {
    const auto reporter = open(collector.make_token());
    offer(*reporter, 0, 1);
    ASSERT_TRUE(arrived(1));
  }
  collector.stop();
  collector.make_ca();
  collector.start();
  const auto reporter = open(collector.make_token());
  offer(*reporter, 1, 2);
  ASSERT_TRUE(arrived(2));
  EXPECT_EQ(collector.enrolments, 2U);
}

TEST_F(ReporterTest, RenewsBeforeTheEnd) {
  collector.client_certificate_seconds = 2;
  const auto reporter = open(collector.make_token());
  ASSERT_TRUE(collector.wait([](const FakeCollector& at) { return at.renewals >= 1; }));
  collector.wait([](FakeCollector& at) {
    at.client_certificate_seconds = 3600;
    return true;
  });
  offer(*reporter, 0, 10);
  EXPECT_TRUE(arrived(10));
}

TEST_F(ReporterTest, KeepsEventsWhileTheCollectorIsAwayAndDeliversThemAfterwards) {
  const auto reporter = open(collector.make_token());
  offer(*reporter, 0, 10);
  ASSERT_TRUE(arrived(10));
  collector.stop();
  offer(*reporter, 10, 500);
  ASSERT_TRUE(reporter->flush(seconds(10)));
  EXPECT_TRUE(stats_reach(*reporter, [](const ReporterStats& stats) { return !stats.connected; }));
  EXPECT_THAT(reporter->stats().last_error, HasSubstr("is the collector running"));
  collector.start();
  ASSERT_TRUE(arrived(500));
  EXPECT_EQ(collector.duplicates, 0U);
  EXPECT_EQ(collector.out_of_order, 0U);
}

TEST_F(ReporterTest, DeliversWhatAnEarlierProcessLeft) {
  const std::string token = collector.make_token();
  collector.stop();
  {
    const auto reporter = open(token);
    offer(*reporter, 0, 300);
  }
  collector.start();
  const auto reporter = open(token);
  ASSERT_TRUE(arrived(300));
  EXPECT_EQ(collector.producers.size(), 1U);
}

TEST_F(ReporterTest, LosesAndDoublesNothingWhenTheStreamKeepsBreaking) {
  collector.break_after_batches = 3;
  const auto reporter = open(collector.make_token());
  for (int i = 0; i < 400; ++i) {
    ASSERT_TRUE(reporter->offer(numbered(i)));
    if (i % 40 == 0) {
      ASSERT_TRUE(reporter->flush(seconds(10)));
    }
  }
  ASSERT_TRUE(arrived(400));
  EXPECT_EQ(collector.duplicates, 0U);
  EXPECT_EQ(collector.out_of_order, 0U);
}

TEST_F(ReporterTest, ResendsWhatWasNotAcknowledged) {
  collector.withhold_acks = true;
  const auto reporter = open(collector.make_token());
  offer(*reporter, 0, 50);
  ASSERT_TRUE(arrived(50));
  EXPECT_EQ(reporter->stats().acknowledged, 0U);
  collector.stop();
  collector.withhold_acks = false;
  collector.start();
  offer(*reporter, 50, 60);
  ASSERT_TRUE(arrived(60));
  EXPECT_TRUE(
      stats_reach(*reporter, [](const ReporterStats& stats) { return stats.acknowledged == 60; }));
  EXPECT_EQ(collector.duplicates, 0U);
}

TEST_F(ReporterTest, ACollectorThatForgotEverythingGetsWhatIsStillHere) {
  collector.withhold_acks = true;
  const auto reporter = open(collector.make_token());
  offer(*reporter, 0, 50);
  ASSERT_TRUE(arrived(50));
  collector.stop();
  collector.producers.clear();
  collector.event_ids.clear();
  collector.withhold_acks = false;
  collector.start();
  ASSERT_TRUE(arrived(50));
}

TEST_F(ReporterTest, AtTheSpoolCapTheLossIsCountedAndToldExactly) {
  ReporterOptions small = options(collector.make_token());
  small.spool_cap_bytes = 64U << 10;
  collector.stop();
  const auto reporter = Reporter::open(small).value();
  for (int i = 0; i < 3000; ++i) {
    model::Event event = numbered(i);
    event.body = model::AgentLog{"info", std::string(100, 'x'), {}};
    ASSERT_TRUE(reporter->offer(std::move(event)));
    // The queue must not be what overflows here.
    if (i % 500 == 499) (void)reporter->flush(seconds(10)).has_value();
  }
  const auto flushed = reporter->flush(seconds(10));
  const std::uint64_t lost = reporter->stats().lost_spool_full;
  EXPECT_GT(lost, 0U);
  EXPECT_LE(reporter->stats().spooled_bytes, 64U << 10);
  collector.start();
  ASSERT_TRUE(arrived(3000 - lost));
  // Told without any further event.
  EXPECT_TRUE(
      collector.wait([&](FakeCollector& at) { return at.producers.begin()->second.lost == lost; }));
  EXPECT_EQ(collector.event_ids.size(), 3000 - lost);
  EXPECT_EQ(collector.duplicates, 0U);
}

TEST_F(ReporterTest, SaysThatItLosesFromTheFirstLossUntilAnEventIsKept) {
  ReporterOptions small = options(collector.make_token());
  small.spool_cap_bytes = 64U << 10;
  collector.stop();
  const auto reporter = Reporter::open(small).value();
  EXPECT_FALSE(reporter->is_losing());
  model::Event large = numbered(0);
  large.body = model::AgentLog{"info", std::string(128U << 10, 'x'), {}};
  ASSERT_TRUE(reporter->offer(std::move(large)));
  EXPECT_FALSE(reporter->flush(seconds(10)));
  EXPECT_TRUE(reporter->is_losing());
  ASSERT_TRUE(reporter->offer(numbered(1)));
  ASSERT_TRUE(reporter->flush(seconds(10)));
  EXPECT_FALSE(reporter->is_losing());
}

TEST_F(ReporterTest, AFullQueueRefusesCountsAndTells) {
  ReporterOptions small = options(collector.make_token());
  small.queue_limit = 4;
  small.batch_delay = std::chrono::milliseconds(300);
  const auto reporter = Reporter::open(small).value();
  std::uint64_t refused = 0;
  for (int i = 0; i < 50; ++i) {
    const auto taken = reporter->offer(numbered(i));
    if (taken) continue;
    EXPECT_EQ(taken.error().code, Errc::kExhausted);
    ++refused;
  }
  EXPECT_GT(refused, 0U);
  EXPECT_EQ(reporter->stats().lost_queue_full, refused);
  EXPECT_TRUE(collector.wait([&](FakeCollector& at) {
    return !at.producers.empty() && at.producers.begin()->second.lost == refused &&
           at.event_ids.size() == 50 - refused;
  }));
}

TEST_F(ReporterTest, AnEventAboveTheLimitIsRefused) {
  const auto reporter = open();
  model::Event event = numbered(1);
  event.body = model::AgentLog{"info", std::string(kMaxEventBytes + 1, 'x'), {}};
  EXPECT_EQ(reporter->offer(std::move(event)).error().code, Errc::kTooLarge);
  EXPECT_EQ(reporter->stats().lost_too_large, 1U);
}

TEST_F(ReporterTest, LargeEventsTravelInMessagesTheCollectorTakes) {
  const auto reporter = open(collector.make_token());
  for (int i = 0; i < 8; ++i) {
    model::Event event = numbered(i);
    event.body = model::AgentLog{"info", std::string(kMaxEventBytes - 1000, 'x'), {}};
    ASSERT_TRUE(reporter->offer(std::move(event)));
  }
  EXPECT_TRUE(arrived(8));
}

TEST_F(ReporterTest, FillsIdAndTime) {
  const auto reporter = open(collector.make_token());
  ASSERT_TRUE(reporter->offer(model::Event{}));
  ASSERT_TRUE(arrived(1));
  EXPECT_EQ(collector.event_ids.begin()->first.size(), 36U);
}

TEST_F(ReporterTest, ManyThreadsMayOffer) {
  const auto reporter = open(collector.make_token());
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread)
    threads.emplace_back([&, thread] { offer(*reporter, thread * 1000, thread * 1000 + 1000); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(arrived(4000));
  EXPECT_EQ(collector.duplicates, 0U);
}

TEST_F(ReporterTest, ClosingDeliversWhatItCan) {
  {
    const auto reporter = open(collector.make_token());
    ASSERT_TRUE(stats_reach(*reporter, [](const ReporterStats& stats) { return stats.connected; }));
    offer(*reporter, 0, 200);
  }
  EXPECT_EQ(collector.event_ids.size(), 200U);
}

TEST_F(ReporterTest, RefusesBadOptions) {
  for (const char* address : {"", "localhost", ":7443", "localhost:"}) {
    ReporterOptions bad = options();
    bad.collector = address;
    const auto reporter = Reporter::open(bad);
    ASSERT_FALSE(reporter) << address;
    EXPECT_EQ(reporter.error().code, Errc::kInvalid);
  }
  ReporterOptions bad = options("token without fingerprint");
  EXPECT_THAT(Reporter::open(bad).error().message, HasSubstr("enrolment token"));
}

TEST_F(ReporterTest, FailsWhenTheStateFolderCannotBeUsed) {
  ASSERT_TRUE(write_file_atomically(folder / "state", "a file", 0600));
  EXPECT_FALSE(Reporter::open(options()));
}

}  // namespace
}  // namespace aispm::report
