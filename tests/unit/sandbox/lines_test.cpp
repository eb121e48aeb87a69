// SPDX-License-Identifier: Apache-2.0
#include "sandbox/supervise/lines.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "sandbox/supervise/event_json.hpp"

namespace aispm::sandbox {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

struct Cut {
  LineBudget budget{LineBudget::Clock::now()};
  std::vector<AgentLine> lines;
  bool has_room = true;
  LineCutter cutter{"stdout", budget, [this](AgentLine line) {
                      if (has_room) lines.push_back(std::move(line));
                      return has_room;
                    }};
  std::vector<std::string> messages() const {
    std::vector<std::string> texts;
    for (const auto& line : lines) texts.push_back(line.message);
    return texts;
  }
};

TEST(LineCutter, CutsAtEveryByteAlike) {
  const std::string text = "one\ntwo\r\n\n  three\nlast";
  for (std::size_t first = 0; first <= text.size(); ++first) {
    Cut cut;
    cut.cutter.feed(std::string_view(text).substr(0, first));
    cut.cutter.feed(std::string_view(text).substr(first));
    cut.cutter.finish();
    EXPECT_THAT(cut.messages(), ElementsAre("one", "two", "  three", "last")) << first;
    EXPECT_EQ(cut.cutter.taken(), 4U);
  }
}

TEST(LineCutter, CutsALongLineAndCountsTheRest) {
  Cut cut;
  cut.cutter.feed(std::string(LineCutter::kMaxLineBytes + 100, 'x'));
  cut.cutter.feed("yyy\nnext\n");
  ASSERT_EQ(cut.lines.size(), 2U);
  EXPECT_EQ(cut.lines[0].message, std::string(LineCutter::kMaxLineBytes, 'x'));
  EXPECT_EQ(cut.lines[0].cut_bytes, 103U);
  EXPECT_EQ(cut.lines[1].cut_bytes, 0U);
}

TEST(LineCutter, CountsWhatTheRateDoesNotLetThroughAndSaysSoInTheNextLine) {
  Cut cut;
  constexpr int kMany = 20'000;
  for (int i = 0; i < kMany; ++i) cut.cutter.feed("line\n");
  EXPECT_GE(cut.cutter.taken(), static_cast<std::uint64_t>(LineBudget::kBurstLines));
  EXPECT_GT(cut.cutter.lost(), 0U);
  EXPECT_EQ(cut.cutter.taken() + cut.cutter.lost(), static_cast<std::uint64_t>(kMany));
}

TEST(LineCutter, CountsLinesThatNobodyHadRoomFor) {
  Cut cut;
  cut.has_room = false;
  cut.cutter.feed("a\nb\n");
  cut.has_room = true;
  cut.cutter.feed("c\nd\n");
  EXPECT_THAT(cut.messages(), ElementsAre("c", "d"));
  EXPECT_EQ(cut.lines[0].lost_lines, 2U);
  EXPECT_EQ(cut.lines[1].lost_lines, 0U);
  EXPECT_EQ(cut.cutter.lost(), 2U);
}

TEST(LineBudget, RefillsWithTime) {
  const auto start = LineBudget::Clock::time_point() + std::chrono::hours(1);
  LineBudget budget(start);
  for (int i = 0; i < static_cast<int>(LineBudget::kBurstLines); ++i)
    ASSERT_TRUE(budget.spend(1, start));
  EXPECT_FALSE(budget.spend(1, start));
  EXPECT_TRUE(budget.spend(1, start + std::chrono::milliseconds(10)));
  EXPECT_FALSE(budget.spend(static_cast<std::size_t>(LineBudget::kBurstBytes) + 1,
                            start + std::chrono::hours(1)));
}

TEST(ReadLine, KnowsTheAgentsOwnLogLines) {
  const AgentLine line = read_line(
      "stdout",
      R"({"event":"aispm.log","level":"warning","message":"slow \"db\"","fields":{"ms":12,"deep":{"a":[1]}},"user":"ann"})");
  EXPECT_EQ(line.level, "warning");
  EXPECT_EQ(line.message, "slow \"db\"");
  EXPECT_THAT(line.fields,
              ElementsAre(Pair("deep", R"({"a":[1]})"), Pair("ms", "12"), Pair("user", "ann")));
}

TEST(ReadLine, TakesAnyOtherTextAsItStands) {
  for (const std::string text :
       {"plain", "{", R"({"event":"aispm.log")", R"({"event":"other","message":"x"})",
        R"(["aispm.log"])", R"({"message":"aispm.log","event":7})", "{\"event\":\"aispm.log\"\x01}",
        R"({"event":"aispm.log","a":[[[[[[[[[[1]]]]]]]]]]})"}) {
    const AgentLine line = read_line("stderr", text);
    EXPECT_EQ(line.message, text);
    EXPECT_TRUE(line.fields.empty());
  }
}

TEST(ReadLine, KnowsOnlyFourLevels) {
  const AgentLine line =
      read_line("stdout", R"({"event":"aispm.log","level":"fatal","message":"m"})");
  EXPECT_EQ(line.level, "info");
  EXPECT_THAT(line.fields, ElementsAre(Pair("level", "fatal")));
}

// What the agent writes is a text inside of one event, whatever it looks like.
TEST(ReadLine, NothingTheAgentWritesIsAnEvent) {
  const RunIdentity run{"ann/agent.py", "s-1", "", 42};
  const std::string forged =
      R"(","stream":""}},{"sandbox_exit":{"exit_code":0}},{"agent_log":{"message":")";
  const std::string event = log_event(run, read_line("stdout", forged + "\x1b[2J"));
  EXPECT_THAT(event, HasSubstr(R"(\"sandbox_exit\":{\"exit_code\":0})"));
  EXPECT_THAT(event, HasSubstr(R"(\u001b[2J)"));
  EXPECT_THAT(event, Not(HasSubstr(R"("sandbox_exit")")));
  EXPECT_THAT(event, Not(HasSubstr("\n")));
}

}  // namespace
}  // namespace aispm::sandbox
