// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/common/utf8.hpp"

#include <gtest/gtest.h>

namespace aispm {
namespace {

TEST(CutUtf8, LeavesShortTextsAlone) {
  std::string text = "caf\xc3\xa9";
  EXPECT_FALSE(cut_utf8(text, 5));
  EXPECT_EQ(text, "caf\xc3\xa9");
}

TEST(CutUtf8, NeverCutsWithinACharacter) {
  const std::string whole = "a\xf0\x9f\x98\x80z";
  for (const std::size_t limit : {1U, 2U, 3U, 4U}) {
    std::string text = whole;
    EXPECT_TRUE(cut_utf8(text, limit));
    EXPECT_EQ(text, "a") << limit;
  }
  std::string text = whole;
  EXPECT_TRUE(cut_utf8(text, 5));
  EXPECT_EQ(text, "a\xf0\x9f\x98\x80");
}

TEST(CutUtf8, KeepsToTheLimitInBytesThatAreNoText) {
  std::string text(100, '\x80');
  EXPECT_TRUE(cut_utf8(text, 10));
  EXPECT_EQ(text.size(), 7U);
  EXPECT_TRUE(cut_utf8(text, 0));
  EXPECT_TRUE(text.empty());
}

}  // namespace
}  // namespace aispm
