// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/result.hpp"

namespace aispm::sensor {

inline constexpr std::size_t kMaxDnsBytes = 4096;
inline constexpr std::size_t kMaxDnsRecords = 256;
inline constexpr std::size_t kMaxDnsAddresses = 64;

struct DnsAddress {
  std::array<std::uint8_t, 16> bytes{};  // IPv4 in the first four
  bool is_v6 = false;
  bool operator==(const DnsAddress&) const = default;
};

struct DnsMessage {
  bool is_answer = false;
  std::string name;  // what was asked for: lower case, no final dot
  std::uint16_t type = 0;
  std::vector<DnsAddress> addresses;  // of A and AAAA records, through aliases too
  std::uint32_t ttl_seconds = 0;      // the smallest of all of the chain
};

// One message of one question (RFC 1035). kInvalid says what is wrong. Pure.
Result<DnsMessage> parse_dns(std::string_view bytes);

}  // namespace aispm::sensor
