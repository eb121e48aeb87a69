// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sdk/core/common/result.hpp"
#include "sensor/model/records.hpp"

namespace aispm::sensor {

// The sanctioned gateway as it is configured: a host name or an address, and a port (0 = any).
struct GatewayPlace {
  std::string host;  // canonical_host()
  std::uint16_t port = 0;
};

// "gateway.example:8088", "10.0.0.7:8088", "[fd00::7]:8088", "gateway.example". kInvalid with what
// is allowed.
Result<GatewayPlace> parse_gateway_place(std::string_view text);

struct HostPort {
  std::string_view host;  // without brackets
  std::string_view port;  // digits as written; empty: none
};
// "host", "host:port", "[v6]:port", "v6".
HostPort split_port(std::string_view text);
// 1..65535.
std::optional<std::uint16_t> parse_port(std::string_view text);
// An address without a port.
std::optional<Address> parse_address(const std::string& host);
// Lower case, at most 253 bytes, no final dot; an address in the form of Address::host_text().
std::string canonical_host(std::string_view host);

}  // namespace aispm::sensor
