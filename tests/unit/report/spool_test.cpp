// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/report/spool.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "aispm/v1/ingest.pb.h"
#include "sdk/core/common/file.hpp"
#include "tests/support/temp_folder.hpp"

namespace aispm::report {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::uint64_t kCap = 1U << 20;

std::unique_ptr<Spool> open_spool(const testing::TempFolder& folder, std::uint64_t cap = kCap) {
  return Spool::open(folder.path(), cap).value();
}

// The serialized `events` field of a batch whose events have these ids.
std::string events_of(const std::vector<std::string>& ids, std::size_t padding = 0) {
  v1::EventBatch batch;
  for (const std::string& id : ids) {
    auto* const event = batch.add_events();
    event->set_id(id);
    event->mutable_agent_log()->set_message(std::string(padding, 'p'));
  }
  return batch.SerializeAsString();
}

bool append(Spool& spool, const std::vector<std::string>& ids, std::size_t padding = 0) {
  return spool.append(events_of(ids, padding), static_cast<std::uint32_t>(ids.size())).has_value();
}

void append_and_sync(Spool& spool, const std::vector<std::string>& ids) {
  ASSERT_TRUE(append(spool, ids));
  ASSERT_TRUE(spool.sync());
}

struct Seen {
  std::vector<std::uint64_t> sequences;
  std::vector<std::string> ids;
  std::uint64_t lost = 0;
};

Seen read_all(Spool& spool) {
  Seen seen;
  while (const auto batch = spool.next().value()) {
    v1::EventBatch message;
    EXPECT_TRUE(message.ParseFromString(batch->payload));
    EXPECT_EQ(message.sequence(), batch->sequence);
    EXPECT_EQ(static_cast<std::uint32_t>(message.events_size()), batch->events);
    seen.sequences.push_back(batch->sequence);
    for (const auto& event : message.events()) seen.ids.push_back(event.id());
    seen.lost += batch->lost_before;
  }
  return seen;
}

std::vector<std::string> segment_files(const std::string& folder) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".seg") files.push_back(entry.path().string());
  std::sort(files.begin(), files.end());
  return files;
}

void flip_byte(const std::string& path, std::uint64_t at) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(at));
  const int byte = file.get();
  file.seekp(static_cast<std::streamoff>(at));
  file.put(static_cast<char>(byte ^ 1));
}

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

// What a crash leaves: the file as it was, cut anywhere in the last record.
TEST(Spool, CutsATornTailAndGoesOn) {
  const testing::TempFolder source;
  {
    const auto spool = open_spool(source);
    for (const char* id : {"a", "b"}) append_and_sync(*spool, {id});
    append_and_sync(*spool, {"torn", "torn too"});
  }
  const std::string file = segment_files(source.path()).at(0);
  const std::string whole = read_file(file, kCap).value();
  const std::size_t last_record = whole.rfind("AREC");
  for (std::size_t size = last_record; size < whole.size(); ++size) {
    ASSERT_TRUE(write_file_atomically(file, whole.substr(0, size), 0600));
    std::filesystem::remove(source / "losses");
    const auto spool = open_spool(source);
    EXPECT_EQ(spool->stats().torn_bytes, size - last_record);
    const bool header_is_whole = size >= last_record + kRecordHeaderBytes;
    EXPECT_EQ(spool->stats().lost_disk, header_is_whole ? 2U : 0U) << size;
    append_and_sync(*spool, {"next"});
    const Seen seen = read_all(*spool);
    EXPECT_THAT(seen.ids, ElementsAre("a", "b", "next"));
    EXPECT_THAT(seen.sequences, ElementsAre(1, 2, 3));
    EXPECT_EQ(seen.lost, header_is_whole ? 2U : 0U);
  }
}

TEST(Spool, DamageInTheMiddleCostsOnlyItsSegmentAndIsCountedExactly) {
  const testing::TempFolder folder;
  {
    const auto spool = open_spool(folder, 128U << 10);
    for (int i = 0; i < 30; ++i) ASSERT_TRUE(append(*spool, {std::to_string(i)}, 2000));
    ASSERT_TRUE(spool->sync());
  }
  const auto files = segment_files(folder.path());
  ASSERT_GE(files.size(), 3U);
  flip_byte(files[1], kSegmentHeaderBytes + kRecordHeaderBytes + 100);
  const auto spool = open_spool(folder, 128U << 10);
  const Seen seen = read_all(*spool);
  EXPECT_LT(seen.ids.size(), 30U);
  EXPECT_EQ(seen.ids.size() + seen.lost, 30U);
  EXPECT_EQ(spool->stats().lost_disk, seen.lost);
}

TEST(Spool, DamageFoundWhileRunningIsSkippedAndTold) {
  const testing::TempFolder folder;
  const auto spool = open_spool(folder);
  for (const char* id : {"a", "b", "c"}) append_and_sync(*spool, {id});
  const std::string file = segment_files(folder.path()).at(0);
  const std::string bytes = read_file(file, kCap).value();
  flip_byte(file, bytes.find("AREC", bytes.find("AREC") + 1) + kRecordHeaderBytes + 1);
  EXPECT_THAT(read_all(*spool).ids, ElementsAre("a"));
  append_and_sync(*spool, {"d"});
  const Seen seen = read_all(*spool);
  EXPECT_THAT(seen.ids, ElementsAre("d"));
  EXPECT_EQ(seen.lost, 2U);
  EXPECT_EQ(spool->stats().lost_disk, 2U);
}

TEST(Spool, AFileWithABadHeaderIsDroppedAndItsEventsAreCounted) {
  const testing::TempFolder folder;
  {
    const auto spool = open_spool(folder, 128U << 10);
    for (int i = 0; i < 30; ++i) ASSERT_TRUE(append(*spool, {std::to_string(i)}, 2000));
    ASSERT_TRUE(spool->sync());
  }
  flip_byte(segment_files(folder.path()).at(1), 9);
  const auto spool = open_spool(folder, 128U << 10);
  const Seen seen = read_all(*spool);
  EXPECT_EQ(seen.ids.size() + seen.lost, 30U);
  EXPECT_GT(seen.lost, 0U);
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

// A file size limit makes write(2) fail as a full disk does.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    previous_ = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    (void)std::signal(SIGXFSZ, previous_);
  }

 private:
  rlimit before_{};
  void (*previous_)(int) = nullptr;
};

TEST(Spool, ADiskThatRefusesIsCountedAndRecoveredFrom) {
  const testing::TempFolder folder;
  const auto spool = open_spool(folder);
  append_and_sync(*spool, {"before"});
  {
    const FileSizeLimit limit(4096);
    EXPECT_FALSE(append(*spool, {"lost 1", "lost 2"}, 8000));
    EXPECT_EQ(spool->stats().lost_disk, 2U);
    EXPECT_THAT(spool->stats().disk_error, HasSubstr("free or mend the disk"));
  }
  append_and_sync(*spool, {"after"});
  EXPECT_EQ(spool->stats().disk_error, "");
  const Seen seen = read_all(*spool);
  EXPECT_THAT(seen.ids, ElementsAre("before", "after"));
  EXPECT_EQ(seen.lost, 2U);
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
