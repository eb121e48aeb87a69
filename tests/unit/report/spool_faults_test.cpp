// SPDX-License-Identifier: Apache-2.0
// What a crash, a damaged file and a full disk do to a spool: only counted losses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "sdk/core/common/file.hpp"
#include "tests/unit/report/spool_probe.hpp"

namespace aispm::report {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

void flip_byte(const std::string& path, std::uint64_t at) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(at));
  const int byte = file.get();
  file.seekp(static_cast<std::streamoff>(at));
  file.put(static_cast<char>(byte ^ 1));
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

}  // namespace
}  // namespace aispm::report
