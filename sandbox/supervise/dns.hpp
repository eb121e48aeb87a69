// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace aispm::sandbox {

enum class DnsType : std::uint16_t { kA = 1, kPtr = 12, kAaaa = 28 };

struct DnsQuery {
  // "secret.example", other bytes than letters, digits, - and _ as \DDD; "." for the root.
  std::string name;
  std::uint16_t type = 0;
  // A standard query of class IN; anything else is refused.
  bool is_standard = false;
  bool is_host_name = false;  // no byte of the name had to be written as \DDD
  // The answer's first part: same id and question, and no answer.
  std::vector<std::uint8_t> reply;
};

// Reads the first question of a DNS query (RFC 1035 section 4.1). Nothing for what is no query:
// answers, cut or compressed names, no question. Pure; any bytes are safe.
std::optional<DnsQuery> parse_dns_query(std::span<const std::uint8_t> packet);

enum class DnsCode : std::uint8_t { kNoError = 0, kNoSuchName = 3, kRefused = 5 };

// The whole answer: `address` (4 or 16 bytes, as the query's type says), or none when it is empty.
// At most 28 bytes longer than the question.
std::vector<std::uint8_t> answer_dns(const DnsQuery& query, DnsCode code,
                                     std::span<const std::uint8_t> address = {});

}  // namespace aispm::sandbox
