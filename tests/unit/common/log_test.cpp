// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/common/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>

namespace aispm {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;

// What a piece of code wrote to standard error.
template <typename Code>
std::string written_by(Code code) {
  ::testing::internal::CaptureStderr();
  code();
  return ::testing::internal::GetCapturedStderr();
}

class LogTest : public ::testing::Test {
 protected:
  LogTest() { log::set_level(log::Level::kInfo); }
  ~LogTest() override { log::set_level(log::Level::kInfo); }
};

TEST_F(LogTest, ALineHasTimeLevelProgramAndEvent) {
  EXPECT_THAT(
      written_by([] { log::info("ring.dropped"); }),
      MatchesRegex("time=2[0-9-]+T[0-9:.]+Z level=info program=[a-z]+ event=ring.dropped\n"));
}

TEST_F(LogTest, FieldsKeepTheirTypes) {
  const std::string line = written_by([] {
    log::warn("x", {{"text", "plain"},
                    {"count", std::uint64_t{18446744073709551615U}},
                    {"delta", -5},
                    {"flag", true}});
  });
  EXPECT_THAT(line, EndsWith("text=plain count=18446744073709551615 delta=-5 flag=true\n"));
}

TEST_F(LogTest, AValueCannotForgeALineOrATerminalSequence) {
  const std::string line = written_by([] {
    log::info("x", {{"name", "a\nlevel=error event=forged \x1b[31m\" \\"}});
  });
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  EXPECT_THAT(line, Not(HasSubstr("\x1b")));
  EXPECT_THAT(line, HasSubstr(R"(name="a\x0alevel=error event=forged \x1b[31m\" \\")"));
}

TEST_F(LogTest, ALineIsUtf8WhateverAFileHeld) {
  const std::string line = written_by([] {
    log::info("x", {{"reason",
                     "gr\xc3\xbc\xc3\x9f \xff\xc3 \xc2\x9b"
                     "31m"}});
  });
  EXPECT_THAT(line, HasSubstr("reason=\"gr\xc3\xbc\xc3\x9f \\xff\\xc3 \\xc2\\x9b"
                              "31m\""));
}

TEST_F(LogTest, AnEmptyValueIsStillThere) {
  EXPECT_THAT(written_by([] { log::info("x", {{"name", ""}}); }), EndsWith("name=\"\"\n"));
}

TEST_F(LogTest, BelowTheLevelNothingIsWritten) {
  EXPECT_THAT(written_by([] { log::debug("x"); }), IsEmpty());
  log::set_level(log::Level::kError);
  EXPECT_THAT(written_by([] { log::warn("x"); }), IsEmpty());
  EXPECT_THAT(written_by([] { log::error("x"); }), HasSubstr("level=error"));
}

TEST_F(LogTest, AnErrorTellsItsCodeReasonAndErrno) {
  EXPECT_THAT(written_by([] {
                log::error("x", Error{Errc::kDenied, "no", 13});
              }),
              EndsWith("event=x code=denied reason=no errno=13\n"));
}

}  // namespace
}  // namespace aispm
