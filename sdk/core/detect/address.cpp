// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "sdk/core/common/crypto.hpp"

namespace aispm::detect {
namespace {

constexpr std::size_t kMaxBase58 = 128;
constexpr std::size_t kChecksumBytes = 4;
constexpr std::size_t kMaxBech32 = 90;  // BIP-173

std::string_view as_text(const void* bytes, std::size_t size) {
  return {static_cast<const char*>(bytes), size};
}

}  // namespace

bool is_base58_check(std::string_view text) {
  constexpr std::string_view kDigits = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
  if (text.empty() || text.size() > kMaxBase58) return false;
  std::array<std::uint8_t, kMaxBase58> number{};  // big endian, in its last `size` bytes
  std::size_t size = 0;
  for (const char c : text) {
    const auto digit = kDigits.find(c);
    if (digit == std::string_view::npos) return false;
    unsigned carry = static_cast<unsigned>(digit);
    for (std::size_t i = 0; i < size || carry != 0; ++i) {
      if (i == number.size()) return false;
      std::uint8_t& byte = number[number.size() - 1 - i];
      carry += 58U * byte;
      byte = static_cast<std::uint8_t>(carry & 0xffU);
      carry >>= 8U;
      size = std::max(size, i + 1);
    }
  }
  size += static_cast<std::size_t>(
      std::find_if(text.begin(), text.end(), [](char c) { return c != '1'; }) - text.begin());
  if (size <= kChecksumBytes || size > number.size()) return false;
  const auto* const begin = number.data() + number.size() - size;
  const Sha256 once = sha256(as_text(begin, size - kChecksumBytes));
  const Sha256 twice = sha256(as_text(once.data(), once.size()));
  return std::memcmp(twice.data(), begin + size - kChecksumBytes, kChecksumBytes) == 0;
}

bool is_bech32(std::string_view text) {
  constexpr std::string_view kDigits = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
  constexpr std::array<std::uint32_t, 5> kGenerator = {0x3b6a57b2U, 0x26508e6dU, 0x1ea119faU,
                                                       0x3d4233ddU, 0x2a1462b3U};
  const auto border = text.rfind('1');
  if (border == std::string_view::npos || border == 0 || text.size() > kMaxBech32 ||
      text.size() < border + 7)
    return false;
  std::uint32_t sum = 1;
  const auto feed = [&](std::uint32_t value) {
    const std::uint32_t top = sum >> 25U;
    sum = ((sum & 0x1ffffffU) << 5U) ^ value;
    for (std::size_t i = 0; i < kGenerator.size(); ++i)
      if (((top >> i) & 1U) != 0) sum ^= kGenerator[i];
  };
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  for (const char c : text.substr(0, border)) feed(static_cast<std::uint8_t>(lower(c)) >> 5U);
  feed(0);
  for (const char c : text.substr(0, border)) feed(static_cast<std::uint8_t>(lower(c)) & 31U);
  for (const char c : text.substr(border + 1)) {
    const auto digit = kDigits.find(lower(c));
    if (digit == std::string_view::npos) return false;
    feed(static_cast<std::uint32_t>(digit));
  }
  return sum == 1 || sum == 0x2bc830a3U;
}

bool is_ipv6(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> copy{};
  if (text.size() >= copy.size() || std::count(text.begin(), text.end(), ':') < 2) return false;
  std::copy(text.begin(), text.end(), copy.begin());
  in6_addr address{};
  if (::inet_pton(AF_INET6, copy.data(), &address) != 1) return false;
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(&address);
  return std::any_of(bytes, bytes + sizeof(address) - 1,
                     [](std::uint8_t byte) { return byte != 0; });
}

bool is_phone(std::string_view text) {
  constexpr std::size_t kMinDigits = 7;
  constexpr std::size_t kMaxDigits = 15;
  std::array<std::size_t, kMaxDigits> groups{};  // how many digits stand together
  std::size_t count = 0;
  std::size_t digits = 0;
  bool after_digit = false;
  for (const char c : text) {
    if (c == 'x') break;  // an extension
    const bool is_digit = c >= '0' && c <= '9';
    if (is_digit && !after_digit && count++ == groups.size()) return false;
    if (is_digit && ++digits > kMaxDigits) return false;
    if (is_digit) ++groups.at(count - 1);
    after_digit = is_digit;
  }
  if (digits < kMinDigits) return false;
  if (count == 2 && groups[0] == 6 && groups[1] == 4) return false;  // Nordic personal numbers
  if (count != 3 || text.front() == '+' || text.front() == '(') return true;
  const auto is_split = [&](std::size_t first, std::size_t second, std::size_t third) {
    return groups[0] == first && groups[1] == second && groups[2] == third;
  };
  return !is_split(2, 2, 4) && !is_split(4, 2, 2) && !is_split(3, 2, 4) && !is_split(4, 4, 2) &&
         !(is_split(3, 2, 3) && text.find('-') != std::string_view::npos);  // of articles
}

}  // namespace aispm::detect
