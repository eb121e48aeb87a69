// SPDX-License-Identifier: Apache-2.0
#include "sdk/cli/line_diff.hpp"

#include <gtest/gtest.h>

#include <string>

namespace aispm::cli {
namespace {

struct Case {
  const char* before;
  const char* after;
  const char* diff;
};

TEST(LineDiff, ShowsWhatChangedWithItsSurroundings) {  // POL-020
  const Case cases[] = {
      {"a\nb\n", "a\nb\n", ""},
      {"", "", ""},
      {"", "a\nb\n", "--- f\n+++ f\n@@ -0,0 +1,2 @@\n+a\n+b\n"},
      {"a\n", "", "--- f\n+++ f\n@@ -1 +0,0 @@\n-a\n"},
      {"a\nb\nc\n", "a\nx\nc\n", "--- f\n+++ f\n@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n"},
      {"1\n2\n3\n4\n5\n6\n", "1\n2\n3\n4\n5\n7\n",
       "--- f\n+++ f\n@@ -3,4 +3,4 @@\n 3\n 4\n 5\n-6\n+7\n"},
  };
  for (const Case& one : cases) EXPECT_EQ(unified_diff("f", one.before, one.after), one.diff);
}

TEST(LineDiff, FarChangesAreHunksOfTheirOwn) {
  std::string before;
  std::string after;
  for (int i = 0; i < 40; ++i) {
    before += std::to_string(i) + "\n";
    after += (i == 5 || i == 30 ? "x" : std::to_string(i)) + "\n";
  }
  const std::string diff = unified_diff("f", before, after);
  EXPECT_NE(diff.find("@@ -3,7 +3,7 @@"), std::string::npos) << diff;
  EXPECT_NE(diff.find("@@ -28,7 +28,7 @@"), std::string::npos) << diff;
}

TEST(LineDiff, WhatIsVeryDifferentIsReplaced) {
  std::string before;
  std::string after;
  for (int i = 0; i < 3000; ++i) {
    before += "b" + std::to_string(i) + "\n";
    after += "a" + std::to_string(i) + "\n";
  }
  const std::string diff = unified_diff("f", before, after);
  EXPECT_NE(diff.find("@@ -1,3000 +1,3000 @@"), std::string::npos);
}

}  // namespace
}  // namespace aispm::cli
