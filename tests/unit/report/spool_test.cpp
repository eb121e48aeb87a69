// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "tests/unit/report/spool_probe.hpp"

namespace aispm::report {
namespace {

using ::testing::ElementsAre;

TEST(Spool, GivesBatchesInOrderWithTheirSequence) {
  const testing::TempFolder folder;
  const auto spool = open_spool(folder);
  append_and_sync(*spool, {"a", "b"});
  append_and_sync(*spool, {"c"});
  const Seen seen = read_all(*spool);
  EXPECT_THAT(seen.sequences, ElementsAre(1, 2));
  EXPECT_THAT(seen.ids, ElementsAre("a", "b", "c"));
  EXPECT_EQ(seen.lost, 0U);
}

TEST(Spool, ShowsNothingThatIsNotDurable) {
  const testing::TempFolder folder;
  const auto spool = open_spool(folder);
  ASSERT_TRUE(append(*spool, {"a"}));
  EXPECT_FALSE(spool->next().value());
  ASSERT_TRUE(spool->sync());
  EXPECT_TRUE(spool->next().value());
}

TEST(Spool, KeepsWhatIsNotAcknowledgedOverARestart) {
  const testing::TempFolder folder;
  std::string producer;
  {
    const auto spool = open_spool(folder);
    producer = spool->producer_id();
    for (const char* id : {"a", "b", "c"}) append_and_sync(*spool, {id});
    EXPECT_TRUE(spool->rewind(1).value());
  }
  const auto spool = open_spool(folder);
  EXPECT_EQ(spool->producer_id(), producer);
  EXPECT_TRUE(spool->rewind(1).value());
  EXPECT_THAT(read_all(*spool).ids, ElementsAre("b", "c"));
  append_and_sync(*spool, {"d"});
  EXPECT_THAT(read_all(*spool).sequences, ElementsAre(4));
}

TEST(Spool, RewindGoesBackToTheFirstUnacknowledged) {
  const testing::TempFolder folder;
  const auto spool = open_spool(folder, 128U << 10);  // segments of 16 KiB
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(append(*spool, {std::to_string(i)}, 2000));
    ASSERT_TRUE(spool->sync());
  }
  ASSERT_GT(segment_files(folder.path()).size(), 3U);
  for (const std::uint64_t acknowledged : {0U, 1U, 7U, 8U, 25U, 39U}) {
    ASSERT_TRUE(spool->rewind(acknowledged).value());
    const Seen seen = read_all(*spool);
    ASSERT_EQ(seen.sequences.size(), 40 - acknowledged);
    EXPECT_EQ(seen.sequences.front(), acknowledged + 1);
    EXPECT_EQ(seen.lost, 0U);
  }
  ASSERT_TRUE(spool->rewind(40).value());
  EXPECT_TRUE(read_all(*spool).sequences.empty());
}

TEST(Spool, DeletesSegmentsOnceAcknowledged) {
  const testing::TempFolder folder;
  const auto spool = open_spool(folder, 128U << 10);
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(append(*spool, {std::to_string(i)}, 2000));
  ASSERT_TRUE(spool->sync());
  const std::size_t before = segment_files(folder.path()).size();
  spool->acknowledge(20);
  const std::size_t between = segment_files(folder.path()).size();
  spool->acknowledge(40);
  EXPECT_LT(between, before);
  EXPECT_EQ(segment_files(folder.path()).size(), 1U);
  EXPECT_LT(spool->stats().bytes, 20U << 10);
}

TEST(Spool, AtTheCapRefusesTheNewestAndTellsExactlyHowMany) {
  const testing::TempFolder folder;
  const auto spool = open_spool(folder, Spool::kMinCapBytes);
  std::size_t taken = 0;
  std::size_t refused = 0;
  for (int i = 0; i < 60; ++i) {
    if (append(*spool, {"a", "b", "c"}, 1000))
      ++taken;
    else
      ++refused;
  }
  ASSERT_TRUE(spool->sync());
  ASSERT_GT(taken, 10U);
  ASSERT_GT(refused, 10U);
  EXPECT_LE(spool->stats().bytes, Spool::kMinCapBytes);
  EXPECT_EQ(spool->stats().lost_full, refused * 3);
  EXPECT_EQ(spool->untold_losses(), refused * 3);
  EXPECT_EQ(read_all(*spool).sequences.size(), taken);
  spool->acknowledge(taken);
  append_and_sync(*spool, {"after"});
  const Seen seen = read_all(*spool);
  EXPECT_THAT(seen.ids, ElementsAre("after"));
  EXPECT_EQ(seen.lost, refused * 3);
  EXPECT_EQ(spool->untold_losses(), 0U);
}

TEST(Spool, UntoldLossesSurviveARestartAndAreToldOnce) {
  const testing::TempFolder folder;
  std::uint64_t lost = 0;
  std::uint64_t last = 0;
  {
    const auto spool = open_spool(folder, Spool::kMinCapBytes);
    for (int i = 0; i < 60; ++i) last += append(*spool, {"a"}, 3000) ? 1 : 0;
    ASSERT_TRUE(spool->sync());
    lost = spool->untold_losses();
    ASSERT_GT(lost, 0U);
  }
  {
    const auto spool = open_spool(folder, Spool::kMinCapBytes);
    EXPECT_EQ(spool->untold_losses(), lost);
    ASSERT_TRUE(spool->rewind(last).value());
    ASSERT_TRUE(spool->append("", 0));
    ASSERT_TRUE(spool->sync());
    const Seen seen = read_all(*spool);
    EXPECT_EQ(seen.lost, lost);
    EXPECT_TRUE(seen.ids.empty());
  }
  EXPECT_EQ(open_spool(folder)->untold_losses(), 0U);
}

TEST(Spool, ResendingTellsTheSameLossAgain) {
  const testing::TempFolder folder;
  const auto spool = open_spool(folder, Spool::kMinCapBytes);
  std::uint64_t last = 0;
  for (int i = 0; i < 60; ++i) last += append(*spool, {"a"}, 3000) ? 1 : 0;
  ASSERT_TRUE(spool->sync());
  spool->acknowledge(last);
  append_and_sync(*spool, {"z"});
  ASSERT_TRUE(spool->rewind(last).value());
  const std::uint64_t first = read_all(*spool).lost;
  ASSERT_TRUE(spool->rewind(last).value());
  EXPECT_GT(first, 0U);
  EXPECT_EQ(read_all(*spool).lost, first);
}

TEST(Spool, ANewHistoryGetsANewProducerId) {
  const testing::TempFolder folder;
  std::string producer;
  {
    const auto spool = open_spool(folder);
    producer = spool->producer_id();
    append_and_sync(*spool, {"a"});
  }
  for (const std::string& file : segment_files(folder.path())) std::filesystem::remove(file);
  EXPECT_NE(open_spool(folder)->producer_id(), producer);
}

TEST(Spool, TakesANewProducerIdWhenTheCollectorKnowsMore) {
  const testing::TempFolder folder;
  const auto spool = open_spool(folder);
  const std::string producer = spool->producer_id();
  append_and_sync(*spool, {"a"});
  EXPECT_FALSE(spool->rewind(5).value());
  EXPECT_NE(spool->producer_id(), producer);
  EXPECT_TRUE(spool->rewind(0).value());
  EXPECT_THAT(read_all(*spool).ids, ElementsAre("a"));
}

TEST(Spool, AFreshSpoolAcceptsAnEmptyCollector) {
  const testing::TempFolder folder;
  const auto spool = open_spool(folder);
  EXPECT_TRUE(spool->rewind(0).value());
  EXPECT_FALSE(spool->next().value());
}

TEST(Spool, ASecondOpenOfTheSameFolderIsRefused) {
  const testing::TempFolder folder;
  const auto spool = open_spool(folder);
  const auto second = Spool::open(folder.path(), kCap);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::kExists);
}

TEST(Spool, RefusesACapOutOfRange) {
  const testing::TempFolder folder;
  EXPECT_EQ(Spool::open(folder.path(), Spool::kMinCapBytes - 1).error().code, Errc::kInvalid);
  EXPECT_EQ(Spool::open(folder.path(), Spool::kMaxCapBytes + 1).error().code, Errc::kInvalid);
}

TEST(Spool, ABatchAboveTheRecordLimitIsRefusedAndCounted) {
  const testing::TempFolder folder;
  const auto spool = open_spool(folder, 64U << 20);
  EXPECT_FALSE(append(*spool, {"big"}, kMaxPayloadBytes));
  EXPECT_EQ(spool->stats().lost_full, 1U);
}

TEST(Spool, OneWriterAndOneReaderLoseNothingTogether) {
  const testing::TempFolder folder;
  const auto spool = open_spool(folder, 256U << 10);
  constexpr int kBatches = 3000;
  std::atomic<std::uint64_t> read = 0;
  std::thread reader([&] {
    std::uint64_t expected = 1;
    while (expected <= kBatches) {
      const auto batch = spool->next().value();
      if (!batch) {
        std::this_thread::yield();
        continue;
      }
      if (batch->sequence != expected || batch->lost_before != 0) break;
      spool->acknowledge(expected++);
      ++read;
    }
  });
  for (int i = 0; i < kBatches;) {
    if (i - static_cast<int>(read) > 50) {
      std::this_thread::yield();  // stays below the cap
      continue;
    }
    ASSERT_TRUE(append(*spool, {std::to_string(i)}, 500));
    ++i;
    ASSERT_TRUE(i % 8 != 0 && i != kBatches ? Result<>() : spool->sync());
  }
  reader.join();
  EXPECT_EQ(read, static_cast<std::uint64_t>(kBatches));
}

}  // namespace
}  // namespace aispm::report
