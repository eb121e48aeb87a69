// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sandbox/check/verdict.hpp"
#include "sandbox/model/plan.hpp"

namespace aispm::sandbox {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kParsed =
    "{\"stage\": \"parsed\", \"reason\": \"\", \"line\": 0, \"column\": 0}\n";
constexpr const char* kImported =
    "{\"stage\": \"imported\", \"reason\": \"\", \"line\": 0, \"column\": 0}\n";

std::string line(const std::string& stage, const std::string& reason, int number) {
  return R"({"stage":")" + stage + R"(","reason":")" + reason + R"(","line":)" +
         std::to_string(number) + R"(,"column":7})" + "\n";
}

// SBX-002
TEST(CheckSource, TakesUtf8WithinItsSize) {
  EXPECT_TRUE(check_source("").is_valid);
  EXPECT_TRUE(check_source("\xEF\xBB\xBFname = 'Gr\xC3\xBC\xC3\x9F"
                           "e'\n")
                  .is_valid);
  EXPECT_TRUE(check_source(std::string(kMaxAgentBytes, ' ')).is_valid);
  const auto large = check_source(std::string(kMaxAgentBytes + 1, ' '));
  EXPECT_FALSE(large.is_valid);
  EXPECT_EQ(large.failed, CheckStage::kSize);
}

TEST(CheckSource, NamesTheLineOfWhatIsNoText) {
  for (const std::string bad : {"\xFF", "\xC3(", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE2\x82"}) {
    const auto verdict = check_source("a = 1\nb = '" + bad + "'\n");
    EXPECT_FALSE(verdict.is_valid);
    EXPECT_EQ(verdict.failed, CheckStage::kEncoding);
    EXPECT_EQ(verdict.line, 2U);
  }
  EXPECT_EQ(check_source(std::string("a\n\n\0", 4)).line, 3U);
}

TEST(Judge, TakesAnAgentThatParsesAndImports) {
  const auto verdict = judge(check_source(""), std::string(kParsed) + kImported, 0, {true});
  ASSERT_TRUE(verdict);
  EXPECT_TRUE(verdict->is_valid);
  EXPECT_THAT(verdict->passed,
              ElementsAre(CheckStage::kSize, CheckStage::kEncoding, CheckStage::kSyntax,
                          CheckStage::kMain, CheckStage::kImport));
  EXPECT_EQ(to_text(*verdict, "a.py"), "a.py: valid (size, encoding, syntax, main, import)");
  EXPECT_EQ(
      to_json(*verdict, "a.py"),
      R"({"file":"a.py","valid":true,"passed":["size","encoding","syntax","main","import"]})");
}

TEST(Judge, GivesStageReasonAndLine) {
  const auto syntax = judge(check_source(""), line("syntax", "invalid syntax", 3), 0, {false});
  EXPECT_EQ(to_text(*syntax, "a.py"), "a.py:3:7: syntax: invalid syntax");
  const auto main = judge(check_source(""), line("main", "none", 0), 0, {true});
  EXPECT_EQ(
      to_json(*main, "a.py"),
      R"({"file":"a.py","valid":false,"passed":["size","encoding","syntax"],"failed":"main","reason":"none","column":7})");
  const auto import =
      judge(check_source(""), kParsed + line("import", "KeyError: 'x'", 9), 0, {false});
  EXPECT_EQ(to_text(*import, "a.py"), "a.py:9: import: KeyError: 'x'");
  EXPECT_THAT(import->passed,
              ElementsAre(CheckStage::kSize, CheckStage::kEncoding, CheckStage::kSyntax));
}

TEST(Judge, SaysHowAnImportEnded) {
  const struct {
    int exit_code;
    const char* word;
  } cases[] = {{kExitWallTime, "longer than 15 s"},
               {137, "memory limit"},
               {139, "signal 11"},
               {kExitLimit, "a limit"},
               {3, "exit code 3"},
               {0, "exit code 0"}};
  for (const auto& one : cases) {
    const auto verdict = judge(check_source(""), kParsed, one.exit_code, {false});
    ASSERT_TRUE(verdict);
    EXPECT_FALSE(verdict->is_valid);
    EXPECT_EQ(verdict->failed, CheckStage::kImport);
    EXPECT_THAT(verdict->reason, HasSubstr(one.word));
  }
  // It ended well, but was killed afterwards.
  EXPECT_FALSE(judge(check_source(""), std::string(kParsed) + kImported, 137, {false})->is_valid);
}

TEST(Judge, BelievesOnlyWhatTheStepsCanHaveWritten) {
  for (const std::string more : {"hello\n", "{}\n", "{\"stage\":1}\n", "[]\n", "x", ""}) {
    const auto verdict =
        judge(check_source(""), std::string(kParsed) + kImported + more, 0, {false});
    ASSERT_TRUE(verdict);
    EXPECT_EQ(verdict->is_valid, more.empty()) << more;
  }
  EXPECT_FALSE(judge(check_source(""), std::string(kImported) + kImported, 1, {false})->is_valid);
}

TEST(Judge, KnowsNothingWhenNoInterpreterSpoke) {
  EXPECT_FALSE(judge(check_source(""), "", 1, {false}));
  EXPECT_FALSE(judge(check_source(""), "", kExitNotFound, {false}));
  // A file that kills the parser is the agent's fault.
  EXPECT_EQ(judge(check_source(""), "", 139, {false})->failed, CheckStage::kSyntax);
}

TEST(Verdict, NeverHoldsControlCharacters) {
  const auto verdict = judge(check_source(""), line("syntax", "a\\u001b[31m\\nb", 1), 0, {false});
  EXPECT_EQ(verdict->reason, "a [31m b");
}

}  // namespace
}  // namespace aispm::sandbox
