// SPDX-License-Identifier: Apache-2.0
#include "sandbox/supervise/dns.hpp"

#include <cstdio>

namespace aispm::sandbox {
namespace {

constexpr std::size_t kHeaderBytes = 12;
constexpr std::size_t kMaxNameBytes = 255;
constexpr std::uint16_t kClassIn = 1;
constexpr std::uint8_t kTtlSeconds = 60;

std::uint16_t read16(std::span<const std::uint8_t> bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

// False when the byte had to be escaped.
bool append_label_byte(std::string& name, std::uint8_t byte) {
  const bool is_plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                        (byte >= '0' && byte <= '9') || byte == '-' || byte == '_';
  if (is_plain) {
    name += static_cast<char>(byte);
    return true;
  }
  char text[8];
  (void)std::snprintf(text, sizeof(text), "\\%03u", static_cast<unsigned>(byte));
  name += text;
  return false;
}

}  // namespace

std::optional<DnsQuery> parse_dns_query(std::span<const std::uint8_t> packet) {
  if (packet.size() < kHeaderBytes + 5) return std::nullopt;
  const bool is_answer = (packet[2] & 0x80) != 0;
  const bool has_question = packet[4] != 0 || packet[5] != 0;
  if (is_answer || !has_question) return std::nullopt;
  DnsQuery query;
  query.is_host_name = true;
  std::size_t at = kHeaderBytes;
  for (;;) {
    if (at >= packet.size() || at - kHeaderBytes > kMaxNameBytes) return std::nullopt;
    const std::size_t length = packet[at++];
    if (length == 0) break;
    if (length > 63 || at + length > packet.size()) return std::nullopt;
    if (!query.name.empty()) query.name += '.';
    for (std::size_t i = 0; i < length; ++i)
      query.is_host_name = append_label_byte(query.name, packet[at + i]) && query.is_host_name;
    at += length;
  }
  if (at + 4 > packet.size()) return std::nullopt;  // type and class
  if (query.name.empty()) {
    query.name = ".";
    query.is_host_name = false;
  }
  query.type = read16(packet, at);
  const bool is_opcode_query = (packet[2] & 0x78) == 0;
  query.is_standard = is_opcode_query && read16(packet, at + 2) == kClassIn;
  query.reply.assign(packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(at + 4));
  query.reply[2] = static_cast<std::uint8_t>(
      0x80 | (packet[2] & 0x79));  // answer; opcode and "recursion desired" as asked
  query.reply[3] = 0;
  query.reply[4] = 0;
  query.reply[5] = 1;
  for (std::size_t i = 6; i < kHeaderBytes; ++i) query.reply[i] = 0;
  return query;
}

std::vector<std::uint8_t> answer_dns(const DnsQuery& query, DnsCode code,
                                     std::span<const std::uint8_t> address) {
  constexpr std::uint8_t kRecursionAvailable = 0x80;
  std::vector<std::uint8_t> reply = query.reply;
  reply[3] = static_cast<std::uint8_t>(kRecursionAvailable | static_cast<std::uint8_t>(code));
  if (address.empty()) return reply;
  reply[7] = 1;
  // The question's name, its type, class IN, and for how long.
  for (const std::uint16_t word :
       {std::uint16_t{0xC000 | kHeaderBytes}, query.type, kClassIn, std::uint16_t{0},
        std::uint16_t{kTtlSeconds}, static_cast<std::uint16_t>(address.size())}) {
    reply.push_back(static_cast<std::uint8_t>(word >> 8));
    reply.push_back(static_cast<std::uint8_t>(word));
  }
  reply.insert(reply.end(), address.begin(), address.end());
  return reply;
}

}  // namespace aispm::sandbox
