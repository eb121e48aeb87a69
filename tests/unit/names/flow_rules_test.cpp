// SPDX-License-Identifier: Apache-2.0
#include "sensor/classify/flow_rules.hpp"

#include <gtest/gtest.h>

#include "sensor/classify/port_rules.hpp"

namespace aispm::sensor {
namespace {

using model::Severity;

BootTime at(std::uint64_t milliseconds) { return {milliseconds * 1'000'000}; }

// SEN-012
TEST(McpFlow, LongAndQuietConnectionToAnMcpHostIsOne) {
  EXPECT_TRUE(is_mcp_flow("mcp.example.com", 31'000'000, 3000));
  EXPECT_TRUE(is_mcp_flow("docs-mcp.example.com", 31'000'000, 3000));
  EXPECT_FALSE(is_mcp_flow("mcp.example.com", 30'000'000, 100));   // not longer than 30 s
  EXPECT_FALSE(is_mcp_flow("mcp.example.com", 31'000'000, 3100));  // 100 B/s
  EXPECT_FALSE(is_mcp_flow("www.example.com", 31'000'000, 3000));
  EXPECT_FALSE(is_mcp_flow("", 31'000'000, 3000));
}

// SEN-013: "31 POSTs in 60 s flagged, 30 not".
TEST(AgentBurst, ThirtyOneRequestsAMinuteAreFlaggedOnceThirtyAreNot) {
  BurstRule rule;
  const model::ProcessId process{1, {1}};
  for (std::uint64_t i = 0; i < 30; ++i)
    EXPECT_FALSE(rule.on_request(process, "api.openai.com", at(i * 1000))) << i;
  const auto burst = rule.on_request(process, "api.openai.com", at(59'999));
  ASSERT_TRUE(burst);
  EXPECT_EQ(burst->rule_id, "flow.agent-burst");
  EXPECT_FALSE(rule.on_request(process, "api.openai.com", at(59'999)));
}

TEST(AgentBurst, ThirtyOneInMoreThanAMinuteAreNotFlagged) {
  BurstRule rule;
  for (std::uint64_t i = 0; i < 31; ++i)
    EXPECT_FALSE(rule.on_request({1, {1}}, "api.openai.com", at(i * 2001))) << i;
}

TEST(AgentBurst, HostsAndProcessesAreApart) {
  BurstRule rule;
  for (std::uint64_t i = 0; i < 20; ++i) {
    EXPECT_FALSE(rule.on_request({1, {1}}, "a", at(i)));
    EXPECT_FALSE(rule.on_request({1, {1}}, "b", at(i)));
    EXPECT_FALSE(rule.on_request({2, {1}}, "a", at(i)));
  }
}

TEST(AgentBurst, FlowsAreBounded) {
  BurstRule rule;
  for (std::uint32_t i = 0; i < BurstRule::kMaxFlows + 100; ++i)
    rule.on_request({i, {1}}, "a", at(1));
  EXPECT_EQ(rule.flows(), BurstRule::kMaxFlows);
}

// SEN-016
TEST(PortRules, SeverityFollowsThePort) {
  struct Case {
    std::uint16_t port;
    std::optional<Severity> expected;
  };
  for (const Case& one :
       {Case{22, {}}, Case{80, {}}, Case{443, {}}, Case{8000, {}}, Case{8080, {}}, Case{5432, {}},
        Case{6379, {}}, Case{23, Severity::kHigh}, Case{1023, Severity::kHigh},
        Case{1024, Severity::kMedium}, Case{4444, Severity::kMedium},
        Case{49151, Severity::kMedium}, Case{49152, Severity::kLow}})
    EXPECT_EQ(port_severity(one.port, "0.0.0.0"), one.expected) << one.port;
}

TEST(PortRules, PortOfThisHostAloneIsLow) {
  EXPECT_EQ(port_severity(4444, "127.0.0.1"), Severity::kLow);
  EXPECT_EQ(port_severity(4444, "::1"), Severity::kLow);
  EXPECT_EQ(port_severity(4444, "::"), Severity::kMedium);
}

TEST(PortRules, DetectionNamesThePort) {
  model::SocketListen listen;
  listen.address = "0.0.0.0";
  listen.port = 4444;
  const auto found = judge_port(listen);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->evidence, "tcp/4444");
  EXPECT_EQ(found->severity, Severity::kMedium);
}

}  // namespace
}  // namespace aispm::sensor
