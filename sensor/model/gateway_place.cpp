// SPDX-License-Identifier: Apache-2.0
#include "sensor/model/gateway_place.hpp"

#include <arpa/inet.h>

#include <charconv>

namespace aispm::sensor {
namespace {

constexpr std::size_t kMaxHostBytes = 253;

}  // namespace

HostPort split_port(std::string_view text) {
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return {text, {}};
    const std::string_view rest = text.substr(end + 1);
    return {text.substr(1, end - 1), rest.starts_with(':') ? rest.substr(1) : std::string_view()};
  }
  const std::size_t colon = text.find(':');
  // More than one colon: an IPv6 address without brackets.
  if (colon == std::string_view::npos || text.find(':', colon + 1) != std::string_view::npos)
    return {text, {}};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

std::optional<Address> parse_address(const std::string& host) {
  Address address;
  if (::inet_pton(AF_INET, host.c_str(), address.bytes.data()) == 1) return address;
  address.is_v6 = true;
  if (::inet_pton(AF_INET6, host.c_str(), address.bytes.data()) == 1) return address;
  return std::nullopt;
}

// The name as configured places are written; an address in its one form.
std::string canonical_host(std::string_view host) {
  std::string text(host.substr(0, kMaxHostBytes));
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  while (text.ends_with('.')) text.pop_back();
  if (const auto address = parse_address(text)) return address->host_text();
  return text;
}

Result<GatewayPlace> parse_gateway_place(std::string_view text) {
  const HostPort parts = split_port(text);
  GatewayPlace place;
  place.host = canonical_host(parts.host);
  const bool is_bad_host = place.host.empty() || parts.host.size() > kMaxHostBytes ||
                           place.host.find_first_of(" /@[]?#") != std::string::npos;
  if (is_bad_host)
    return fail(Errc::kInvalid, "\"" + std::string(text) +
                                    "\" is no place of a gateway: a host name or an address is "
                                    "allowed, with :port or without");
  if (!parts.port.empty() || text.ends_with(':')) {
    const auto port = parse_port(parts.port);
    if (!port)
      return fail(Errc::kInvalid,
                  "\"" + std::string(text) + "\": the port must be between 1 and 65535");
    place.port = *port;
  }
  return place;
}

}  // namespace aispm::sensor
