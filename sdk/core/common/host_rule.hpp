// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/result.hpp"

// Host names as an allow-list names them: what a sandbox profile asks for and a gateway permits.
namespace aispm {

inline constexpr std::size_t kMaxHostRules = 256;

// A DNS name and a port, as a client asked for it.
struct HostPort {
  std::string name;  // lower case, no final dot
  std::uint16_t port = 0;
  bool operator==(const HostPort&) const = default;
};

// "api.example.com" (port 443), "api.example.com:8443", "*.example.com:443" (any depth below
// example.com, not itself).
struct HostRule {
  std::string name;  // without "*."
  bool is_wildcard = false;
  std::uint16_t port = 443;
  bool operator==(const HostRule&) const = default;
};

// True for a lower-case DNS name of two labels or more whose last one begins with a letter, so that
// no form of an IP address passes (decimal, octal, hexadecimal, short). Pure.
bool is_host_name(std::string_view text);

// kInvalid says what is wrong.
Result<HostRule> parse_host_rule(std::string_view text);
std::string to_text(const HostRule& rule);

// "name:port", or "name" with `default_port` (0: the port must stand there). Upper case is folded.
// kInvalid for user info, addresses, final dots, and bytes that no host name has.
Result<HostPort> parse_authority(std::string_view text, std::uint16_t default_port);

bool matches(const HostRule& rule, const HostPort& host);
bool is_allowed(const std::vector<HostRule>& rules, const HostPort& host);
// Whether everything that `rule` permits is permitted by one of `rules`, too.
bool is_covered(const std::vector<HostRule>& rules, const HostRule& rule);

}  // namespace aispm
