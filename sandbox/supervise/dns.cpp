// SPDX-License-Identifier: Apache-2.0
#include "sandbox/supervise/dns.hpp"

#include <cstdio>

namespace aispm::sandbox {
namespace {

constexpr std::size_t kHeaderBytes = 12;
constexpr std::size_t kMaxNameBytes = 255;
constexpr std::uint8_t kRefused = 5;

void append_label_byte(std::string& name, std::uint8_t byte) {
  const bool is_plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                        (byte >= '0' && byte <= '9') || byte == '-' || byte == '_';
  if (is_plain) {
    name += static_cast<char>(byte);
    return;
  }
  char text[8];
  (void)std::snprintf(text, sizeof(text), "\\%03u", static_cast<unsigned>(byte));
  name += text;
}

}  // namespace

std::optional<DnsQuery> parse_dns_query(std::span<const std::uint8_t> packet) {
  if (packet.size() < kHeaderBytes + 5) return std::nullopt;
  const bool is_answer = (packet[2] & 0x80) != 0;
  const bool has_question = packet[4] != 0 || packet[5] != 0;
  if (is_answer || !has_question) return std::nullopt;
  DnsQuery query;
  std::size_t at = kHeaderBytes;
  for (;;) {
    if (at >= packet.size() || at - kHeaderBytes > kMaxNameBytes) return std::nullopt;
    const std::size_t length = packet[at++];
    if (length == 0) break;
    if (length > 63 || at + length > packet.size()) return std::nullopt;
    if (!query.name.empty()) query.name += '.';
    for (std::size_t i = 0; i < length; ++i) append_label_byte(query.name, packet[at + i]);
    at += length;
  }
  if (at + 4 > packet.size()) return std::nullopt;  // type and class
  if (query.name.empty()) query.name = ".";
  query.refusal.assign(packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(at + 4));
  query.refusal[2] = static_cast<std::uint8_t>(
      0x80 | (packet[2] & 0x79));  // answer; opcode and "recursion desired" as asked
  query.refusal[3] = kRefused;
  query.refusal[4] = 0;
  query.refusal[5] = 1;
  for (std::size_t i = 6; i < kHeaderBytes; ++i) query.refusal[i] = 0;
  return query;
}

}  // namespace aispm::sandbox
