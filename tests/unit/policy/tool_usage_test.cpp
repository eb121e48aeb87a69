// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "sdk/core/policy/tool_gate.hpp"

namespace aispm::policy {
namespace {

using model::Outcome;
constexpr std::uint64_t kSecond = 1'000'000'000;

BootTime at(std::uint64_t second) { return {second * kSecond}; }

UsageLimits limits_of(const std::string& text) {
  const auto gate = ToolGate::parse(text, "");
  if (!gate) ADD_FAILURE() << gate.error().message;
  return gate ? gate->limits() : UsageLimits();
}

TEST(ToolUsage, TheTwentyFirstCallInAMinuteIsRefused) {  // MCP-019
  ToolUsage usage;
  const UsageLimits limits;
  const UsageCall call{"t", "a", "s", "db.query"};
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(usage.count(limits, call, false, at(100 + i)).verdict.rule_id, "") << i;
  EXPECT_EQ(usage.count(limits, call, false, at(120)).verdict.outcome, Outcome::kRateLimited);
  EXPECT_EQ(usage.count(limits, {"t", "a", "s", "other"}, false, at(120)).verdict.rule_id, "");
  EXPECT_EQ(usage.count(limits, {"t", "b", "s", "db.query"}, false, at(120)).verdict.rule_id, "");
  EXPECT_EQ(usage.count(limits, {"u", "a", "s", "db.query"}, false, at(120)).verdict.rule_id, "");
  EXPECT_EQ(usage.count(limits, call, false, {160 * kSecond - 1}).verdict.rule_id, "tools.rate");
  EXPECT_EQ(usage.count(limits, call, false, at(160)).verdict.rule_id, "")
      << "the first is a minute old";
  EXPECT_EQ(usage.count(limits, call, false, at(160)).verdict.rule_id, "tools.rate");
}

TEST(ToolUsage, FindingsComeWithTheCallThatPassesTheLimit) {  // MCP-019
  ToolUsage usage;
  const UsageLimits limits;
  int hour = 0;
  for (int i = 0; i < 21; ++i) {
    const std::string session = std::to_string(i);
    const auto findings =
        usage.count(limits, {"", "a", session, "t"}, false, at(1000 + 60 * i)).findings;
    EXPECT_EQ(findings.actor_hour, i == 20) << i;
    EXPECT_FALSE(findings.session_minute);
    hour += findings.actor_hour;
  }
  EXPECT_EQ(hour, 1);
  for (int i = 0; i < 6; ++i)
    EXPECT_EQ(
        usage.count(limits, {"", "b", "s", "t"}, false, at(10 * static_cast<std::uint64_t>(i)))
            .findings.session_minute,
        i == 5)
        << i;
  ToolUsage slow;
  for (std::uint64_t i = 0; i < 12; ++i)
    EXPECT_FALSE(slow.count(limits, {"", "b", "s", "t"}, false, at(12 * i)).findings.session_minute)
        << "five within any minute";
}

TEST(ToolUsage, ManyDeniedCallsAreAFinding) {  // MCP-019
  const UsageLimits limits;
  const auto told = [&](const std::vector<bool>& denied) {
    ToolUsage usage;
    std::uint64_t time = 0;
    bool last = false;
    for (const bool one : denied)
      last = usage.count(limits, {"", "a", "s", "t"}, one, at(time += 20)).findings.block_ratio;
    return last;
  };
  EXPECT_FALSE(told({true, true, true, true})) << "fewer than five";
  EXPECT_TRUE(told({true, true, false, false, false})) << "40 %";
  EXPECT_FALSE(told({true, false, false, false, false})) << "20 %";
  EXPECT_FALSE(told({false, false, false, false, false, false, false, true, true, true}))
      << "30 % exactly";
  EXPECT_TRUE(told({false, false, false, false, false, true, true, false, true})) << "a third";
}

TEST(ToolUsage, SequencesMeetAcrossOtherCalls) {  // MCP-020
  const UsageLimits limits = limits_of(
      "sequences:\n"
      "  - {id: carry-out, tools: [read_secrets, '*', http_request], outcome: deny}\n"
      "  - {id: ask, tools: ['read_*', compress, upload], outcome: require_approval}\n");
  const auto run = [&](const std::vector<std::string>& tools) {
    ToolUsage usage;
    std::string rule;
    for (const std::string& tool : tools)
      rule = usage.count(limits, {"", "a", "s", tool}, false, at(1)).verdict.rule_id;
    return rule;
  };
  EXPECT_EQ(run({"read_secrets", "a", "b", "c", "http_request"}), "carry-out") << "three between";
  EXPECT_EQ(run({"read_secrets", "http_request"}), "carry-out") << "none between";
  EXPECT_EQ(run({"http_request", "read_secrets"}), "");
  EXPECT_EQ(run({"read_secret", "http_request"}), "");
  EXPECT_EQ(run({"read_file", "compress", "upload"}), "ask");
  EXPECT_EQ(run({"read_file", "a", "compress", "upload"}), "");
  EXPECT_EQ(run({"x", "read_file", "read_file", "compress", "upload"}), "ask");
  const auto window = [&](int between) {
    ToolUsage usage;
    usage.count(limits, {"", "a", "s", "read_secrets"}, false, at(1));
    for (int i = 0; i < between; ++i)
      usage.count(limits, {"", "a", "s", "t" + std::to_string(i)}, false, at(1));
    return usage.count(limits, {"", "a", "s", "http_request"}, false, at(1)).verdict.rule_id;
  };
  EXPECT_EQ(window(48), "carry-out") << "the window has 50 calls";
  EXPECT_EQ(window(49), "");
}

TEST(ToolUsage, SequencesAreOfOneSessionAndOfCallsThatHappened) {  // MCP-020
  const UsageLimits limits = limits_of("sequences: [{id: s, tools: [a, b], outcome: deny}]\n");
  ToolUsage usage;
  usage.count(limits, {"", "x", "1", "a"}, false, at(1));
  EXPECT_EQ(usage.count(limits, {"", "x", "2", "b"}, false, at(1)).verdict.rule_id, "");
  usage.count(limits, {"", "x", "3", "a"}, true, at(1));
  EXPECT_EQ(usage.count(limits, {"", "x", "3", "b"}, false, at(1)).verdict.rule_id, "");
  EXPECT_EQ(usage.count(limits, {"", "x", "1", "b"}, false, at(1)).verdict.rule_id, "s");
  EXPECT_EQ(usage.count(limits, {"", "x", "1", "b"}, false, at(2)).verdict.rule_id, "s")
      << "b was denied, a is still the last";
}

TEST(ToolUsage, IsBoundedAndRefusesRatherThanForgetsWhatItLimits) {
  ToolUsage usage;
  const UsageLimits limits;
  std::size_t refused = 0;
  for (std::size_t i = 0; i < 3 * ToolUsage::kEntries; ++i)
    refused += usage.count(limits, {"", "agent", "s", "tool" + std::to_string(i)}, false, at(1))
                   .verdict.outcome == Outcome::kRateLimited;
  EXPECT_GE(refused, 2 * ToolUsage::kEntries);
  EXPECT_EQ(usage.refused_full(), refused);
  EXPECT_EQ(usage.count(limits, {"", "agent", "s", "new"}, false, at(61)).verdict.rule_id, "");
  EXPECT_EQ(usage.forgotten(), 0U);
  for (std::size_t i = 0; i < 2 * ToolUsage::kEntries; ++i)
    usage.count(limits, {"", "agent", std::to_string(i), "t"}, true, at(62));
  EXPECT_GE(usage.forgotten(), ToolUsage::kEntries);
  EXPECT_EQ(
      usage.count(limits, {"", "a", "s", std::string(257, 'x')}, false, at(62)).verdict.rule_id,
      "tools.name");
}

TEST(ToolUsage, ThreadsTogetherGetNoMoreThanTheLimit) {
  ToolUsage usage;
  const UsageLimits limits;
  std::atomic<int> allowed = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int k = 0; k < 50; ++k)
        allowed += usage.count(limits, {"", "a", "s", "t"}, false, at(5)).verdict.rule_id.empty();
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(allowed, 20);
}

}  // namespace
}  // namespace aispm::policy
