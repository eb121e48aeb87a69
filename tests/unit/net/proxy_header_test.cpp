// SPDX-License-Identifier: Apache-2.0
#include "gateway/net/proxy_header.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace aispm::net {
namespace {

using namespace std::string_literals;

constexpr char kSession[] = "0190f4a2-7c1e-7abc-8def-0123456789ab";

std::string tlv(char type, const std::string& value) {
  return std::string(1, type) + static_cast<char>(value.size() >> 8) +
         static_cast<char>(value.size() & 255) + value;
}

std::string header(char command, const std::string& tlvs, char family = '\x00',
                   const std::string& addresses = "") {
  const std::size_t size = addresses.size() + tlvs.size();
  return "\r\n\r\n\0\r\nQUIT\n"s + command + family + static_cast<char>(size >> 8) +
         static_cast<char>(size & 255) + addresses + tlvs;
}

TEST(ProxyHeader, TellsSessionAgentAndTrace) {
  const std::string trace(32, 'a');
  const std::string bytes =
      header('\x21', tlv('\xE0', kSession) + tlv('\xE1', "agent.py") + tlv('\xE2', trace));
  const auto parsed = parse_proxy_header(bytes + "GET / HTTP/1.1\r\n");
  ASSERT_TRUE(parsed && *parsed);
  EXPECT_EQ((*parsed)->size_bytes, bytes.size());
  EXPECT_FALSE((*parsed)->header.is_local);
  EXPECT_EQ((*parsed)->header.session_id, kSession);
  EXPECT_EQ((*parsed)->header.agent, "agent.py");
  EXPECT_EQ((*parsed)->header.trace_id, trace);
}

TEST(ProxyHeader, NamesAHostForEgressAndNeverAnAddress) {
  const auto tlv = [](const std::string& host) {
    return header('\x21', std::string("\xE3\0", 2) + static_cast<char>(host.size()) + host);
  };
  const auto parsed = parse_proxy_header(tlv("api.example.com:443"));
  ASSERT_TRUE(parsed && *parsed);
  EXPECT_EQ((*parsed)->header.egress, "api.example.com:443");
  for (const char* bad : {"api.example.com", "10.0.0.1:80", "[::1]:80", "localhost:80", "a.b:0"})
    EXPECT_FALSE(parse_proxy_header(tlv(bad))) << bad;
}

// POL-029
TEST(ProxyHeader, NamesTheRunsThatARunRunsFor) {
  const std::string upper = "0190F4A2-7C1E-7ABC-8DEF-0123456789AB";
  const std::string agent = tlv('\xE1', "child.py");
  const auto parsed = parse_proxy_header(header('\x21', agent + tlv('\xE4', upper + " planner.py") +
                                                            tlv('\xE4', kSession + " coder.py"s) +
                                                            tlv('\xE5', upper)));
  ASSERT_TRUE(parsed && *parsed);
  const ProxyHeader& said = (*parsed)->header;
  ASSERT_EQ(said.parents.size(), 2U);
  EXPECT_EQ(said.parents[0].session_id, kSession);
  EXPECT_EQ(said.parents[0].agent, "planner.py");
  EXPECT_EQ(said.parents[1].agent, "coder.py");
  EXPECT_EQ(said.parent, kSession);
  std::string many = agent;
  for (std::size_t i = 0; i <= kMaxRunParents; ++i) many += tlv('\xE4', kSession + " a"s);
  EXPECT_FALSE(parse_proxy_header(header('\x21', many)));
  // As long as names may be, so many fit.
  const std::string label(49, 'h');
  const std::string host = label + "." + label + "." + label + "." + label;
  std::string full = tlv('\xE0', kSession) + tlv('\xE1', std::string(128, 'a'));
  full += tlv('\xE2', std::string(32, 'a')) + tlv('\xE3', host + ":443");
  for (std::size_t i = 0; i < kMaxRunParents; ++i)
    full += tlv('\xE4', kSession + " "s + std::string(128, 'a'));
  EXPECT_TRUE(parse_proxy_header(header('\x21', full)));
}

TEST(ProxyHeader, KnowsAispmRunByTheLocalCommand) {
  const auto parsed = parse_proxy_header(header('\x20', ""));
  ASSERT_TRUE(parsed && *parsed);
  EXPECT_TRUE((*parsed)->header.is_local);
}

TEST(ProxyHeader, WaitsForTheRestAtEveryCut) {
  const std::string bytes = header('\x21', tlv('\xE1', "a"));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto parsed = parse_proxy_header(std::string_view(bytes).substr(0, size));
    ASSERT_TRUE(parsed) << size << ": " << parsed.error().message;
    EXPECT_FALSE(*parsed) << size;
  }
}

TEST(ProxyHeader, SkipsAddressesAndUnknownTlvs) {
  const auto parsed = parse_proxy_header(
      header('\x21', tlv('\x04', "xx") + tlv('\xE1', "a"), '\x11', std::string(12, '\x01')));
  ASSERT_TRUE(parsed && *parsed);
  EXPECT_EQ((*parsed)->header.agent, "a");
}

TEST(ProxyHeader, WritesTheSessionInLowerCase) {
  const auto parsed =
      parse_proxy_header(header('\x21', tlv('\xE0', "0190F4A2-7C1E-7ABC-8DEF-0123456789AB")));
  ASSERT_TRUE(parsed && *parsed);
  EXPECT_EQ((*parsed)->header.session_id, kSession);
}

struct Bad {
  const char* name;
  std::string bytes;
};

class ProxyHeaderRefuses : public ::testing::TestWithParam<Bad> {};

TEST_P(ProxyHeaderRefuses, WhatItCannotTrust) {
  EXPECT_FALSE(parse_proxy_header(GetParam().bytes));
}

INSTANTIATE_TEST_SUITE_P(
    Table, ProxyHeaderRefuses,
    ::testing::Values(Bad{"Http", "GET / HTTP/1.1\r\n\r\n"},
                      Bad{"TextVersion", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n"},
                      Bad{"OtherVersion", header('\x11', "")},
                      Bad{"OtherCommand", header('\x22', "")},
                      Bad{"OtherFamily", header('\x21', "", '\x13')},
                      Bad{"AddressesCut", header('\x21', "", '\x11')},
                      Bad{"TlvCut", header('\x21', "\xE1\x00"s)},
                      Bad{"TlvTooLong", header('\x21', "\xE1\x00\x09x"s)},
                      Bad{"AgentTwice", header('\x21', tlv('\xE1', "a") + tlv('\xE1', "b"))},
                      Bad{"AgentEmpty", header('\x21', tlv('\xE1', ""))},
                      Bad{"AgentOfStrangeBytes", header('\x21', tlv('\xE1', "a b"))},
                      Bad{"AgentTooLong", header('\x21', tlv('\xE1', std::string(129, 'a')))},
                      Bad{"SessionNoUuid", header('\x21', tlv('\xE0', "1234"))},
                      Bad{"TraceAllZero", header('\x21', tlv('\xE2', std::string(32, '0')))},
                      Bad{"ParentNoUuid", header('\x21', tlv('\xE4', "1234 a"))},
                      Bad{"ParentWithoutName", header('\x21', tlv('\xE4', kSession + " "s))},
                      Bad{"ParentOfStrangeBytes", header('\x21', tlv('\xE4', kSession + " a b"s))},
                      Bad{"NamedParentNoUuid", header('\x21', tlv('\xE5', "1234"))},
                      Bad{"TooLong", header('\x21', tlv('\x04', std::string(1100, 'x')))}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace aispm::net
