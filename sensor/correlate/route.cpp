// SPDX-License-Identifier: Apache-2.0
#include "sensor/correlate/route.hpp"

#include <algorithm>

namespace aispm::sensor {
namespace {

constexpr std::uint16_t kHttpsPort = 443;

bool is_local_host(const std::string& host) {
  if (host == "localhost" || host.ends_with(".localhost")) return true;
  const auto address = parse_address(host);
  return address && is_loopback(*address);
}

}  // namespace

bool RouteJudge::is_gateway(const Address& address) const {
  const std::string host = address.host_text();
  return std::any_of(gateways_.begin(), gateways_.end(), [&](const GatewayPlace& place) {
    return (place.port == 0 || place.port == address.port) && place.host == host;
  });
}

bool RouteJudge::is_gateway_listener(const Address& address) const {
  if (is_gateway(address)) return true;
  const bool is_any = std::all_of(address.bytes.begin(), address.bytes.end(),
                                  [](std::uint8_t byte) { return byte == 0; });
  return is_any && std::any_of(gateways_.begin(), gateways_.end(), [&](const GatewayPlace& place) {
           return place.port == address.port && is_local_host(place.host);
         });
}

bool RouteJudge::is_gateway_name(std::string_view name, std::uint16_t port) const {
  const std::string host = canonical_host(name);
  return std::any_of(gateways_.begin(), gateways_.end(), [&](const GatewayPlace& place) {
    return place.host == host && (place.port == 0 || place.port == port);
  });
}

std::string RouteJudge::judge(std::string_view host, std::string_view name,
                              const std::optional<Endpoints>& socket) const {
  const HostPort asked = split_port(host);
  if (!socket) {
    if (host.empty()) return "";
    const std::uint16_t port =
        asked.port.empty() ? kHttpsPort : parse_port(asked.port).value_or(std::uint16_t{0});
    if (is_gateway_name(asked.host, port)) return "gateway";
    return is_local_host(canonical_host(asked.host)) ? "local" : "direct";
  }
  const Address& to = socket->destination;
  if (is_gateway(to) || is_gateway_name(name.empty() ? asked.host : name, to.port))
    return "gateway";
  return is_loopback(to) || has_same_host(to, socket->source) ? "local" : "direct";
}

}  // namespace aispm::sensor
