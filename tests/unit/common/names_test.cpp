// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "sdk/core/model/event.hpp"

namespace aispm::model {
namespace {

TEST(Names, SeveritiesAndOutcomesReadBack) {
  for (int i = 1; i <= static_cast<int>(Severity::kCritical); ++i)
    EXPECT_EQ(parse_severity(name_of(static_cast<Severity>(i))), static_cast<Severity>(i)) << i;
  for (int i = 1; i <= static_cast<int>(Outcome::kRequireHuman); ++i)
    EXPECT_EQ(parse_outcome(name_of(static_cast<Outcome>(i))), static_cast<Outcome>(i)) << i;
}

TEST(Names, UnspecifiedAndUnknownWordsAreNotRead) {
  for (const char* word : {"", "HIGH", "highest", "unspecified"})
    EXPECT_FALSE(parse_severity(word)) << word;
  for (const char* word : {"", "Deny", "block"}) EXPECT_FALSE(parse_outcome(word)) << word;
}

TEST(Names, AreTheWordsOfPoliciesAndLogs) {
  EXPECT_EQ(name_of(Outcome::kRequireApproval), "require_approval");
  EXPECT_EQ(name_of(Source::kGateway), "gateway");
  EXPECT_EQ(name_of(DenialKind::kSyscall), "syscall");
  EXPECT_EQ(name_of(Severity::kCritical), "critical");
}

}  // namespace
}  // namespace aispm::model
