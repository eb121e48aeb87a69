// SPDX-License-Identifier: Apache-2.0
#include "sensor/correlate/address_key.hpp"

#include <algorithm>

namespace aispm::sensor {
namespace {

constexpr std::size_t kMappedPrefix = 12;  // RFC 4291 section 2.5.5.2: ten zeros, two 0xff

}  // namespace

AddressKey::AddressKey(const Address& address) : port(address.port) {
  if (address.is_v6) {
    bytes = address.bytes;
    return;
  }
  bytes[10] = bytes[11] = 0xff;
  std::copy_n(address.bytes.begin(), 4, bytes.begin() + kMappedPrefix);
}

bool is_loopback(const Address& address) {
  const AddressKey key(address);
  const bool is_zero_head = std::all_of(key.bytes.begin(), key.bytes.begin() + 10,
                                        [](std::uint8_t byte) { return byte == 0; });
  if (!is_zero_head) return false;
  if (key.bytes[10] == 0xff && key.bytes[11] == 0xff)
    return key.bytes[kMappedPrefix] == 127 ||
           std::all_of(key.bytes.begin() + kMappedPrefix, key.bytes.end(),
                       [](std::uint8_t byte) { return byte == 0; });
  return std::all_of(key.bytes.begin() + 10, key.bytes.begin() + 15,
                     [](std::uint8_t byte) { return byte == 0; }) &&
         key.bytes[15] <= 1;
}

bool has_same_host(const Address& left, const Address& right) {
  return AddressKey(left).bytes == AddressKey(right).bytes;
}

}  // namespace aispm::sensor
