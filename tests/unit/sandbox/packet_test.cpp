// SPDX-License-Identifier: Apache-2.0
#include "sandbox/supervise/packet.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sandbox/supervise/dns.hpp"

namespace aispm::sandbox {
namespace {

using Bytes = std::vector<std::uint8_t>;

void add16(Bytes& bytes, unsigned value) {
  bytes.push_back(static_cast<std::uint8_t>(value >> 8));
  bytes.push_back(static_cast<std::uint8_t>(value));
}
Bytes ip4(Bytes from, Bytes to, std::uint8_t protocol, const Bytes& payload) {
  Bytes bytes = {0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0};
  for (const auto& part : {from, to, payload}) bytes.insert(bytes.end(), part.begin(), part.end());
  return bytes;
}
Bytes ip6(Bytes from, Bytes to, std::uint8_t next, const Bytes& payload) {
  Bytes bytes = {0x60, 0, 0, 0, 0, 0, next, 64};
  for (const auto& part : {from, to, payload}) bytes.insert(bytes.end(), part.begin(), part.end());
  return bytes;
}
Bytes tcp(unsigned from, unsigned to, std::uint8_t flags, std::uint8_t sequence_byte = 0) {
  Bytes bytes;
  add16(bytes, from);
  add16(bytes, to);
  bytes.insert(bytes.end(), {0, 0, 0, sequence_byte, 0, 0, 0, 1, 0x50, flags, 0, 0, 0, 0, 0, 0});
  return bytes;
}
Bytes udp(unsigned from, unsigned to) {
  Bytes bytes;
  add16(bytes, from);
  add16(bytes, to);
  bytes.insert(bytes.end(), {0, 8, 0, 0});
  return bytes;
}
const Bytes kFar = {93, 184, 216, 34};
const Bytes kHere = {127, 0, 0, 1};
const Bytes kHere6 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
const Bytes kFar6 = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
constexpr std::uint8_t kSyn = 2;
constexpr std::uint8_t kRstAck = 0x14;

TEST(Packet, ASynToAnywhereElseIsAConnectDenial) {
  EXPECT_EQ(parse_packet(ip4(kFar, kFar, 6, tcp(40000, 443, kSyn))),
            (Denial{DenialKind::kConnect, "93.184.216.34:443", "tcp"}));
  EXPECT_EQ(parse_packet(ip6(kHere6, kFar6, 6, tcp(40000, 443, kSyn))),
            (Denial{DenialKind::kConnect, "[2001:db8::1]:443", "tcp"}));
}

TEST(Packet, ASynToLoopbackIsNoneButTheResetThatAnswersItIs) {
  EXPECT_EQ(parse_packet(ip4(kHere, kHere, 6, tcp(40000, 22, kSyn))), std::nullopt);
  EXPECT_EQ(parse_packet(ip4(kHere, kHere, 6, tcp(22, 40000, kRstAck))),
            (Denial{DenialKind::kConnect, "127.0.0.1:22", "tcp"}));
  EXPECT_EQ(parse_packet(ip6(kHere6, kHere6, 6, tcp(22, 40000, kRstAck))),
            (Denial{DenialKind::kConnect, "[::1]:22", "tcp"}));
}

TEST(Packet, AResetOfAnEstablishedConnectionIsNone) {
  EXPECT_EQ(parse_packet(ip4(kHere, kHere, 6, tcp(8000, 40000, kRstAck, 7))), std::nullopt);
  EXPECT_EQ(parse_packet(ip4(kHere, kHere, 6, tcp(8000, 40000, 0x04))), std::nullopt);
}

TEST(Packet, ADatagramToAnywhereElseIsAConnectDenialExceptDns) {
  EXPECT_EQ(parse_packet(ip4(kFar, kFar, 17, udp(40000, 443))),
            (Denial{DenialKind::kConnect, "93.184.216.34:443", "udp"}));
  EXPECT_EQ(parse_packet(ip6(kHere6, kFar6, 17, udp(40000, 443))),
            (Denial{DenialKind::kConnect, "[2001:db8::1]:443", "udp"}));
  EXPECT_EQ(parse_packet(ip4(kFar, kFar, 17, udp(40000, 53))), std::nullopt);
  EXPECT_EQ(parse_packet(ip4(kFar, kFar, 17, udp(53, 40000))), std::nullopt);
  EXPECT_EQ(parse_packet(ip4(kHere, kHere, 17, udp(40000, 9000))), std::nullopt);
}

TEST(Packet, PortUnreachableNamesTheLoopbackPortThatWasWanted) {
  Bytes icmp = {3, 3, 0, 0, 0, 0, 0, 0};
  const Bytes inner = ip4(kHere, kHere, 17, udp(40000, 9000));
  icmp.insert(icmp.end(), inner.begin(), inner.end());
  EXPECT_EQ(parse_packet(ip4(kHere, kHere, 1, icmp)),
            (Denial{DenialKind::kConnect, "127.0.0.1:9000", "udp"}));
}

TEST(Packet, SeesThroughIpv6ExtensionHeaders) {
  Bytes routed = {6, 0, 2, 0, 0, 0, 0, 0};  // routing header, then TCP
  const Bytes inner = tcp(40000, 443, kSyn);
  routed.insert(routed.end(), inner.begin(), inner.end());
  EXPECT_EQ(parse_packet(ip6(kHere6, kFar6, 43, routed)),
            (Denial{DenialKind::kConnect, "[2001:db8::1]:443", "tcp"}));
}

TEST(Packet, SurvivesEveryCutOfEveryPacket) {
  for (const Bytes& whole : {ip4(kFar, kFar, 6, tcp(1, 2, kSyn)), ip6(kHere6, kFar6, 17, udp(1, 2)),
                             ip6(kHere6, kFar6, 43, tcp(1, 2, kSyn))})
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const auto denial = parse_packet(std::span(whole).first(size));
      if (size < 20) {
        EXPECT_EQ(denial, std::nullopt);
      }
    }
}

Bytes query(const std::string& name, std::uint8_t flags = 1) {
  Bytes bytes = {0xAB, 0xCD, flags, 0, 0, 1, 0, 0, 0, 0, 0, 0};
  for (std::size_t from = 0; from < name.size();) {
    const std::size_t to = std::min(name.find('.', from), name.size());
    bytes.push_back(static_cast<std::uint8_t>(to - from));
    bytes.insert(bytes.end(), name.begin() + static_cast<std::ptrdiff_t>(from),
                 name.begin() + static_cast<std::ptrdiff_t>(to));
    from = to + 1;
  }
  bytes.insert(bytes.end(), {0, 0, 28, 0, 1});
  return bytes;
}

TEST(Dns, NamesWhatWasAskedAndRefusesIt) {
  const auto asked = parse_dns_query(query("secret.attacker.example"));
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->name, "secret.attacker.example");
  const auto refusal = answer_dns(*asked, DnsCode::kRefused);
  EXPECT_EQ(refusal[0], 0xAB);
  EXPECT_EQ(refusal[2], 0x81);
  EXPECT_EQ(refusal[3], 0x85);
  EXPECT_EQ(refusal.size(), query("secret.attacker.example").size());
}

TEST(Dns, EscapesBytesThatAreNotNames) {
  const auto asked = parse_dns_query(query("a\nb\"\xff.x"));
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->name, "a\\010b\\034\\255.x");
}

TEST(Dns, RefusesToReadAnswersCutsAndCompression) {
  EXPECT_FALSE(parse_dns_query(query("a.example", 0x80)));
  const Bytes whole = query("a.example");
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(parse_dns_query(std::span(whole).first(size))) << size;
  Bytes compressed = whole;
  compressed[12] = 0xC0;
  EXPECT_FALSE(parse_dns_query(compressed));
}

}  // namespace
}  // namespace aispm::sandbox
