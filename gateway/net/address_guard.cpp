// SPDX-License-Identifier: Apache-2.0
#include "gateway/net/address_guard.hpp"

#include <array>
#include <cstdint>

namespace aispm::net {
namespace {

struct Block {
  std::uint32_t network;
  unsigned bits;
};

constexpr std::uint32_t ip(unsigned a, unsigned b, unsigned c, unsigned d) {
  return a << 24 | b << 16 | c << 8 | d;
}

constexpr std::array kSpecial = {
    Block{ip(0, 0, 0, 0), 8},      // this network
    Block{ip(10, 0, 0, 0), 8},     // RFC 1918
    Block{ip(100, 64, 0, 0), 10},  // carrier NAT; also a cloud's metadata service (100.100.100.200)
    Block{ip(127, 0, 0, 0), 8},    // loopback
    Block{ip(169, 254, 0, 0), 16},   // link-local, metadata services
    Block{ip(172, 16, 0, 0), 12},    // RFC 1918
    Block{ip(192, 0, 0, 0), 24},     // IETF assignments
    Block{ip(192, 0, 2, 0), 24},     // documentation
    Block{ip(192, 88, 99, 0), 24},   // 6to4 relay
    Block{ip(192, 168, 0, 0), 16},   // RFC 1918
    Block{ip(198, 18, 0, 0), 15},    // benchmark
    Block{ip(198, 51, 100, 0), 24},  // documentation
    Block{ip(203, 0, 113, 0), 24},   // documentation
    Block{ip(224, 0, 0, 0), 3},      // multicast, reserved, broadcast
};

bool is_public_v4(std::uint32_t address) {
  for (const Block& block : kSpecial)
    if ((address ^ block.network) >> (32 - block.bits) == 0) return false;
  return true;
}

// Global unicast is 2000::/3; of it, IETF assignments (2001::/23, with Teredo), documentation
// (2001:db8::/32, 3fff::/20) and 6to4 (2002::/16, embeds IPv4) are special. Everything outside
// 2000::/3, with NAT64, is not public.
bool is_public_v6(const boost::asio::ip::address_v6::bytes_type& bytes) {
  if ((bytes[0] & 0xe0U) != 0x20U) return false;
  const unsigned first = bytes[0] << 8U | bytes[1];
  const unsigned second = bytes[2] << 8U | bytes[3];
  if (first == 0x2001 && (second < 0x0200 || second == 0x0db8)) return false;
  if (first == 0x2002) return false;
  return !(first == 0x3fff && second < 0x1000);
}

}  // namespace

bool is_public_address(const boost::asio::ip::address& address) {
  if (address.is_v4()) return is_public_v4(address.to_v4().to_uint());
  return is_public_v6(address.to_v6().to_bytes());
}

}  // namespace aispm::net
