// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "sdk/core/common/result.hpp"
#include "sensor/model/enforce_tables.hpp"

namespace aispm::sensor {

// "192.0.2.1", "192.0.2.0/24", "2001:db8::/32", "*" (kInvalid otherwise; "*" is no prefix). Bits
// beyond the prefix must be zero. An IPv4-mapped IPv6 address is IPv4.
Result<Prefix> parse_prefix(const std::string& text);

// "192.0.2.1:443", "[2001:db8::1]:443"; an address alone has port 0.
Result<ProtectedEndpoint> parse_endpoint(const std::string& text);

// What longest-prefix tables need: each entry also says what the shorter ones that cover it say.
std::map<Prefix, RuleMask> accumulate(const std::map<Prefix, RuleMask>& exact);
// The same for suffixes of names: "api.example.com" also says what "example.com" says.
std::map<std::string, RuleMask> accumulate(const std::map<std::string, RuleMask>& exact);

// True when `name` is `suffix` or ends with a dot and it. Both lower case.
bool is_below(std::string_view name, std::string_view suffix);
// Lower case, without a leading "*." and a final dot. Empty when it is no host name, or longer than
// the kernel's table can hold.
std::string normal_domain(std::string_view name);

}  // namespace aispm::sensor
