// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace aispm::sandbox {

struct DnsQuery {
  std::string name;  // "secret.example", other bytes than letters, digits, - and _ as \DDD; "." for
                     // the root
  std::vector<std::uint8_t> refusal;  // the answer: same id and question, REFUSED
};

// Reads the first question of a DNS query (RFC 1035 section 4.1). Nothing for what is no query:
// answers, cut or compressed names, no question. Pure; any bytes are safe.
std::optional<DnsQuery> parse_dns_query(std::span<const std::uint8_t> packet);

}  // namespace aispm::sandbox
