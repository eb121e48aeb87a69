// SPDX-License-Identifier: Apache-2.0
// Readers get whole objects while others are put in their place, and what nobody holds is gone.
#include "sdk/core/common/published.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace aispm {
namespace {

struct Pair {
  explicit Pair(int number) : first(number), second(number) { alive.fetch_add(1); }
  ~Pair() { alive.fetch_sub(1); }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  int first;
  int second;
  static inline std::atomic<int> alive{0};
};

TEST(Published, IsEmptyUntilSomethingIsStored) {
  Published<const Pair> empty;
  EXPECT_EQ(empty.load(), nullptr);
  empty.store(std::make_shared<const Pair>(1));
  EXPECT_EQ(empty.load()->first, 1);
  empty.store(nullptr);
  EXPECT_EQ(empty.load(), nullptr);
  EXPECT_EQ(Pair::alive, 0);
}

TEST(Published, ReadersKeepWhatTheyHave) {
  Published<const Pair> shelf(std::make_shared<const Pair>(1));
  const auto before = shelf.load();
  shelf.store(std::make_shared<const Pair>(2));
  EXPECT_EQ(before->second, 1);
  EXPECT_EQ(shelf.load()->second, 2);
}

TEST(Published, ManyThreadsReadAndReplaceAtOnce) {
  constexpr int kRounds = 20'000;
  {
    Published<const Pair> shelf(std::make_shared<const Pair>(0));
    std::atomic<int> torn{0};
    std::vector<std::jthread> threads;
    for (int writer = 0; writer < 2; ++writer)
      threads.emplace_back([&] {
        for (int i = 1; i <= kRounds; ++i) shelf.store(std::make_shared<const Pair>(i));
      });
    for (int reader = 0; reader < 3; ++reader)
      threads.emplace_back([&] {
        for (int i = 0; i < kRounds; ++i) {
          const auto held = shelf.load();
          if (!held || held->first != held->second) torn.fetch_add(1);
        }
      });
    threads.clear();
    EXPECT_EQ(torn, 0);
    EXPECT_EQ(Pair::alive, 1);
  }
  EXPECT_EQ(Pair::alive, 0);
}

}  // namespace
}  // namespace aispm
