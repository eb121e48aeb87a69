// SPDX-License-Identifier: Apache-2.0
#include "sensor/behaviour/agent_trees.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace aispm::sensor {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

model::ProcessId id(std::uint32_t pid) { return {pid, BootTime{pid * 1'000'000'007ULL + 1}}; }

class AgentTreesTest : public testing::Test {
 protected:
  std::vector<std::uint32_t> joined_;
  AgentTrees trees_{
      [this](const model::ProcessId& process, std::uint32_t) { joined_.push_back(process.pid); }};
};

// SEN-023
TEST_F(AgentTreesTest, ADaemonisedGrandchildStaysTheAgentsOwn) {
  trees_.adopt(id(10), "ann/codex", {});
  trees_.on_fork(id(10), id(11));
  trees_.on_fork(id(11), id(12));
  trees_.on_exit(id(11));
  trees_.on_exit(id(10));
  EXPECT_EQ(trees_.agent_of(id(12)), "ann/codex");
  EXPECT_THAT(joined_, ElementsAre(10, 11, 12));
}

TEST_F(AgentTreesTest, TakesInTheDescendantsThatRunAlready) {
  trees_.adopt(id(10), "ann/codex", {id(11), id(12)});
  EXPECT_EQ(trees_.agent_of(id(12)), "ann/codex");
}

TEST_F(AgentTreesTest, AnExecTellsOfAForkThatWasLost) {
  trees_.adopt(id(10), "ann/codex", {});
  model::Process child;
  child.id = id(11);
  child.parent = id(10);
  trees_.on_exec(child);
  EXPECT_EQ(trees_.agent_of(id(11)), "ann/codex");
}

TEST_F(AgentTreesTest, AnAgentWithinAnAgentIsTheOuterOnes) {
  trees_.adopt(id(10), "ann/codex", {});
  trees_.on_fork(id(10), id(11));
  trees_.adopt(id(11), "ann/claude-code", {});
  EXPECT_EQ(trees_.agent_of(id(11)), "ann/codex");
  EXPECT_EQ(trees_.agents(), 1U);
}

TEST_F(AgentTreesTest, OthersBelongToNobody) {
  trees_.adopt(id(10), "ann/codex", {});
  trees_.on_fork(id(20), id(21));
  EXPECT_THAT(trees_.agent_of(id(21)), IsEmpty());
}

TEST_F(AgentTreesTest, AReusedPidDoesNotInherit) {
  trees_.adopt(id(10), "ann/codex", {});
  EXPECT_THAT(trees_.agent_of({10, BootTime{77'000'000'003}}), IsEmpty());
}

TEST_F(AgentTreesTest, KnowsAProcessBySecondsOfProcToo) {
  trees_.adopt({10, BootTime{5'120'000'000}}, "ann/codex", {});
  EXPECT_EQ(trees_.agent_of({10, BootTime{5'123'456'789}}), "ann/codex");
}

TEST_F(AgentTreesTest, ForgetsAnAgentWithItsLastProcess) {
  trees_.adopt(id(10), "ann/codex", {});
  trees_.on_exit(id(10));
  EXPECT_EQ(trees_.size(), 0U);
  EXPECT_EQ(trees_.agents(), 0U);
}

TEST_F(AgentTreesTest, RefusesAndCountsBeyondItsLimit) {
  trees_.adopt(id(1), "ann/codex", {});
  for (std::uint32_t pid = 2; pid <= AgentTrees::kMaxProcesses + 1; ++pid)
    trees_.on_fork(id(1), id(pid));
  EXPECT_EQ(trees_.size(), AgentTrees::kMaxProcesses);
  EXPECT_EQ(trees_.refused(), 1U);
}

struct NameCase {
  const char* user;
  const char* exe;
  std::vector<std::string> argv;
  const char* signature;
  const char* expect;
};

class AgentName : public testing::TestWithParam<NameCase> {};

TEST_P(AgentName, SaysWhoAndWhat) {
  model::Process process;
  process.user = GetParam().user;
  process.uid = 1000;
  process.exe = GetParam().exe;
  process.argv = GetParam().argv;
  EXPECT_EQ(agent_name(process, GetParam().signature), GetParam().expect);
}

INSTANTIATE_TEST_SUITE_P(
    Names, AgentName,
    testing::Values(
        NameCase{
            "ann", "/usr/bin/node", {"node", "/usr/bin/claude"}, "Claude Code", "ann/claude-code"},
        NameCase{"ann",
                 "/usr/bin/python3.11",
                 {"python3", "-u", "/srv/bot/agent.py"},
                 "",
                 "ann/agent.py"},
        NameCase{
            "ann", "/usr/bin/python3.11", {"python3", "-m", "billing.bot"}, "", "ann/billing.bot"},
        NameCase{"ann", "/usr/bin/python3.11", {"python3", "-c", "import x"}, "", "ann/python3.11"},
        NameCase{"ann", "/opt/my bot/run it", {"run it"}, "", "ann/run-it"},
        NameCase{"", "/opt/bot", {"bot"}, "", "1000/bot"},
        NameCase{"ann", "", {}, "", "ann/unnamed"}));

}  // namespace
}  // namespace aispm::sensor
