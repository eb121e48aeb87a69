// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>

#include "sensor/model/records.hpp"

namespace aispm::sensor {

// One end of a socket as a key: an IPv4-mapped IPv6 address equals the IPv4 one, because the two
// ends of one connection may see it either way.
struct AddressKey {
  explicit AddressKey(const Address& address);
  auto operator<=>(const AddressKey&) const = default;

  std::array<std::uint8_t, 16> bytes{};  // IPv4 as IPv4-mapped IPv6
  std::uint16_t port = 0;
};

// A connection as its client has it: the server's end has the two swapped.
struct PairKey {
  PairKey(const Address& client_end, const Address& server_end)
      : client(client_end), server(server_end) {}
  auto operator<=>(const PairKey&) const = default;

  AddressKey client;
  AddressKey server;
};

// 127.0.0.0/8, ::1, or the unspecified address, which connects to loopback.
bool is_loopback(const Address& address);

// The same address, whatever the ports.
bool has_same_host(const Address& left, const Address& right);

}  // namespace aispm::sensor
