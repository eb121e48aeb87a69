// SPDX-License-Identifier: Apache-2.0
#include "gateway/net/recycled_memory.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>
#include <thread>
#include <vector>

namespace aispm::net {
namespace {

void* fresh(std::size_t bytes) { return std::malloc(RecycledMemory::rounded(bytes)); }

TEST(RecycledMemory, GivesBackWhatFits) {
  RecycledMemory kept;
  EXPECT_EQ(RecycledMemory::current(), &kept);
  for (std::size_t bytes = 0; bytes <= RecycledMemory::kMaxBlockBytes; ++bytes) {
    void* const memory = fresh(bytes);
    ASSERT_GE(malloc_usable_size(memory), bytes);
    ASSERT_TRUE(kept.give(memory));
    ASSERT_EQ(kept.take(bytes), memory) << bytes;
    ASSERT_EQ(kept.take(bytes), nullptr) << bytes;
    std::free(memory);
  }
  EXPECT_EQ(kept.kept_bytes(), 0U);
}

// Whatever was given, and whoever it was allocated by: what is taken has room for what was asked.
TEST(RecycledMemory, NeverGivesTooLittle) {
  RecycledMemory kept;
  std::mt19937 random(20261123);
  std::map<void*, std::size_t> used;
  for (int step = 0; step < 200'000; ++step) {
    const std::size_t bytes = random() % (RecycledMemory::kMaxBlockBytes + 600);
    if (used.size() < 40) {
      void* memory = kept.take(bytes);
      if (memory == nullptr) memory = random() % 2 == 0 ? fresh(bytes) : std::malloc(bytes);
      ASSERT_GE(malloc_usable_size(memory), bytes);
      std::memset(memory, 0x5a, bytes);
      ASSERT_TRUE(used.emplace(memory, bytes).second) << "given twice";
    } else {
      const auto one = std::next(used.begin(), static_cast<std::ptrdiff_t>(random() % used.size()));
      if (!kept.give(one->first)) std::free(one->first);
      used.erase(one);
    }
    ASSERT_LE(kept.kept_bytes(), RecycledMemory::kMaxKeptBytes);
  }
  for (const auto& [memory, bytes] : used) std::free(memory);
}

TEST(RecycledMemory, IsBoundedAndKeepsOnAfterItWasFull) {
  RecycledMemory kept;
  const std::size_t many = 3 * RecycledMemory::kMaxKeptBytes / 4000;
  std::vector<void*> blocks;
  for (std::size_t i = 0; i < many; ++i) blocks.push_back(fresh(4000));
  for (void* const block : blocks) {
    ASSERT_TRUE(kept.give(block));
    ASSERT_LE(kept.kept_bytes(), RecycledMemory::kMaxKeptBytes);
  }
  EXPECT_GT(kept.kept_bytes(), 0U);
  void* const large = std::malloc(RecycledMemory::kMaxBlockBytes * 2);
  EXPECT_FALSE(kept.give(large));
  EXPECT_EQ(kept.take(RecycledMemory::kMaxBlockBytes + 1), nullptr);
  std::free(large);
}

TEST(RecycledMemory, IsOfOneThread) {
  {
    const RecycledMemory kept;
    std::thread([] { EXPECT_EQ(RecycledMemory::current(), nullptr); }).join();
  }
  EXPECT_EQ(RecycledMemory::current(), nullptr);
}

}  // namespace
}  // namespace aispm::net
