// SPDX-License-Identifier: Apache-2.0
#include "sandbox/supervise/packet.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>

namespace aispm::sandbox {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;
constexpr std::uint8_t kIcmp = 1;
constexpr std::uint8_t kIcmp6 = 58;
constexpr std::uint16_t kDnsPort = 53;
constexpr int kMaxExtensions = 8;

struct Ip {
  int family = AF_INET;
  Bytes source;
  Bytes destination;
  std::uint8_t protocol = 0;
  Bytes payload;
};

std::uint16_t read16(Bytes bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

std::optional<Ip> parse_ip4(Bytes packet) {
  if (packet.size() < 20) return std::nullopt;
  const std::size_t header = static_cast<std::size_t>(packet[0] & 0xF) * 4;
  if (header < 20 || header > packet.size()) return std::nullopt;
  if ((read16(packet, 6) & 0x1FFF) != 0)
    return std::nullopt;  // a later fragment: the first one named the ports
  return Ip{AF_INET, packet.subspan(12, 4), packet.subspan(16, 4), packet[9],
            packet.subspan(header)};
}

std::optional<Ip> parse_ip6(Bytes packet) {
  if (packet.size() < 40) return std::nullopt;
  Ip ip{AF_INET6, packet.subspan(8, 16), packet.subspan(24, 16), packet[6], packet.subspan(40)};
  for (int i = 0; i < kMaxExtensions; ++i) {
    const bool is_fragment = ip.protocol == 44;
    if (!is_fragment && ip.protocol != 0 && ip.protocol != 43 && ip.protocol != 60) return ip;
    if (ip.payload.size() < 8) return std::nullopt;
    if (is_fragment && (read16(ip.payload, 2) & 0xFFF8) != 0) return std::nullopt;
    const std::size_t size = is_fragment ? 8 : (static_cast<std::size_t>(ip.payload[1]) + 1) * 8;
    if (size > ip.payload.size()) return std::nullopt;
    ip.protocol = ip.payload[0];
    ip.payload = ip.payload.subspan(size);
  }
  return std::nullopt;
}

std::optional<Ip> parse_ip(Bytes packet) {
  if (packet.empty()) return std::nullopt;
  if (packet[0] >> 4 == 4) return parse_ip4(packet);
  if (packet[0] >> 4 == 6) return parse_ip6(packet);
  return std::nullopt;
}

bool is_loopback(int family, Bytes address) {
  if (family == AF_INET) return address[0] == 127;
  for (std::size_t i = 0; i < 15; ++i)
    if (address[i] != 0) return false;
  return address[15] == 1;
}

Denial refused(int family, Bytes address, std::uint16_t port, const char* protocol) {
  char text[INET6_ADDRSTRLEN] = {};
  ::inet_ntop(family, address.data(), text, sizeof(text));
  const std::string host = family == AF_INET ? std::string(text) : "[" + std::string(text) + "]";
  return {DenialKind::kConnect, host + ":" + std::to_string(port), protocol};
}

std::optional<Denial> read_tcp(const Ip& ip) {
  if (ip.payload.size() < 14) return std::nullopt;
  const std::uint8_t flags = ip.payload[13];
  const bool is_reset = (flags & 0x04) != 0;
  const bool is_ack = (flags & 0x10) != 0;
  const bool is_syn = !is_reset && !is_ack && (flags & 0x02) != 0;
  if (is_syn && !is_loopback(ip.family, ip.destination) && read16(ip.payload, 2) != kDnsPort)
    return refused(ip.family, ip.destination, read16(ip.payload, 2), "tcp");
  // RFC 9293 section 3.10.7.1: the reset that answers a SYN has sequence number 0 and acknowledges.
  const bool answers_syn =
      is_reset && is_ack && read16(ip.payload, 4) == 0 && read16(ip.payload, 6) == 0;
  if (answers_syn && is_loopback(ip.family, ip.source))
    return refused(ip.family, ip.source, read16(ip.payload, 0), "tcp");
  return std::nullopt;
}

std::optional<Denial> read_udp(const Ip& ip) {
  if (ip.payload.size() < 8) return std::nullopt;
  const std::uint16_t from = read16(ip.payload, 0);
  const std::uint16_t to = read16(ip.payload, 2);
  if (from == kDnsPort || to == kDnsPort || is_loopback(ip.family, ip.destination))
    return std::nullopt;
  return refused(ip.family, ip.destination, to, "udp");
}

// "Port unreachable": the refused datagram's headers follow.
std::optional<Denial> read_unreachable(const Ip& ip) {
  if (ip.payload.size() < 8) return std::nullopt;
  const bool is_port = ip.protocol == kIcmp ? (ip.payload[0] == 3 && ip.payload[1] == 3)
                                            : (ip.payload[0] == 1 && ip.payload[1] == 4);
  if (!is_port) return std::nullopt;
  const auto inner = parse_ip(ip.payload.subspan(8));
  if (!inner || inner->protocol != kUdp || inner->payload.size() < 4) return std::nullopt;
  const std::uint16_t from = read16(inner->payload, 0);
  if (from == kDnsPort || !is_loopback(inner->family, inner->destination)) return std::nullopt;
  return refused(inner->family, inner->destination, read16(inner->payload, 2), "udp");
}

}  // namespace

std::optional<Denial> parse_packet(Bytes packet) {
  const auto ip = parse_ip(packet);
  if (!ip) return std::nullopt;
  if (ip->protocol == kTcp) return read_tcp(*ip);
  if (ip->protocol == kUdp) return read_udp(*ip);
  if (ip->protocol == (ip->family == AF_INET ? kIcmp : kIcmp6)) return read_unreachable(*ip);
  return std::nullopt;
}

}  // namespace aispm::sandbox
