// SPDX-License-Identifier: Apache-2.0
#include "sensor/capture/mapping_events.hpp"

#include <gtest/gtest.h>

#include <cstring>

namespace aispm::sensor {
namespace {

template <typename... Fields>
std::string record(std::uint32_t type, const std::string& tail, Fields... fields) {
  std::string body;
  (body.append(reinterpret_cast<const char*>(&fields), sizeof(fields)), ...);
  body += tail;
  std::string bytes(8, '\0');
  const auto size = static_cast<std::uint16_t>(bytes.size() + body.size());
  std::memcpy(bytes.data(), &type, sizeof(type));
  std::memcpy(bytes.data() + 6, &size, sizeof(size));
  return bytes + body;
}

std::string mmap2(const std::string& path, std::uint64_t inode) {
  std::string padded = path + '\0';
  padded.resize((padded.size() + 7) / 8 * 8);
  return record(10, padded, std::uint32_t{7}, std::uint32_t{8}, std::uint64_t{0x1000},
                std::uint64_t{0x2000}, std::uint64_t{0}, std::uint32_t{254}, std::uint32_t{3},
                inode, std::uint64_t{99}, std::uint32_t{5}, std::uint32_t{2});
}

struct Seen {
  std::vector<CodeMapping> mappings;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> forks;
  std::vector<std::uint32_t> exits;
  std::uint64_t lost = 0;

  bool read(const std::string& bytes) {
    return read_mapping_record(
        bytes,
        {[this](CodeMapping mapping) { mappings.push_back(std::move(mapping)); },
         [this](std::uint32_t parent, std::uint32_t child) { forks.emplace_back(parent, child); },
         [this](std::uint32_t pid) { exits.push_back(pid); }},
        lost);
  }
};

TEST(MappingRecord, TellsProcessPlaceAndFile) {
  Seen seen;
  ASSERT_TRUE(seen.read(mmap2("/opt/libssl.so.3", 42)));
  ASSERT_EQ(seen.mappings.size(), 1U);
  const CodeMapping& mapping = seen.mappings.front();
  EXPECT_EQ(mapping.pid, 7U);
  EXPECT_EQ(mapping.range, "1000-3000");
  EXPECT_EQ(mapping.device, 254ULL << 32 | 3);
  EXPECT_EQ(mapping.inode, 42U);
  EXPECT_EQ(mapping.generation, 99U);
  EXPECT_EQ(mapping.path, "/opt/libssl.so.3");
}

TEST(MappingRecord, IsNothingForMemoryWithoutAFile) {
  Seen seen;
  EXPECT_TRUE(seen.read(mmap2("[vdso]", 0)));
  EXPECT_TRUE(seen.read(mmap2("//anon", 0)));
  EXPECT_TRUE(seen.mappings.empty());
}

TEST(MappingRecord, TellsProcessesButNotThreads) {
  Seen seen;
  const auto task = [](std::uint32_t type, std::uint32_t pid, std::uint32_t parent,
                       std::uint32_t tid) {
    return record(type, "", pid, parent, tid, parent, std::uint64_t{1});
  };
  EXPECT_TRUE(seen.read(task(7, 20, 10, 20)));
  EXPECT_TRUE(seen.read(task(7, 10, 10, 21)));  // a thread of 10
  EXPECT_TRUE(seen.read(task(4, 20, 10, 20)));
  EXPECT_TRUE(seen.read(task(4, 10, 1, 21)));
  EXPECT_EQ(seen.forks, (std::vector<std::pair<std::uint32_t, std::uint32_t>>{{10, 20}}));
  EXPECT_EQ(seen.exits, std::vector<std::uint32_t>{20});
}

TEST(MappingRecord, CountsWhatTheKernelLost) {
  Seen seen;
  EXPECT_TRUE(seen.read(record(2, "", std::uint64_t{1}, std::uint64_t{5})));
  EXPECT_EQ(seen.lost, 5U);
}

TEST(MappingRecord, RefusesWhatContradictsItself) {
  Seen seen;
  EXPECT_FALSE(seen.read(""));
  EXPECT_FALSE(seen.read(mmap2("/a", 1).substr(0, 40)));
  EXPECT_FALSE(seen.read(mmap2("/a", 1) + "more"));
  EXPECT_FALSE(seen.read(record(10, "", std::uint32_t{7})));
}

}  // namespace
}  // namespace aispm::sensor
