// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/common/id.hpp"

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <vector>

#include "sdk/core/common/time.hpp"

namespace aispm {

void fill_random(std::span<std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::getrandom(bytes.data(), bytes.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) std::abort();
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

std::string to_hex(std::span<const std::uint8_t> bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::uint8_t byte : bytes) {
    text += kHex[byte >> 4];
    text += kHex[byte & 15];
  }
  return text;
}

std::string make_uuid() {
  std::array<std::uint8_t, 16> bytes;
  fill_random(bytes);
  const auto milliseconds = static_cast<std::uint64_t>(wall_now().nanoseconds / 1'000'000);
  for (int i = 0; i < 6; ++i) bytes[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(milliseconds >> (40 - 8 * i));
  bytes[6] = static_cast<std::uint8_t>(0x70 | (bytes[6] & 0x0f));
  bytes[8] = static_cast<std::uint8_t>(0x80 | (bytes[8] & 0x3f));
  std::string text = to_hex(bytes);
  for (const std::size_t at : {8U, 13U, 18U, 23U}) text.insert(at, 1, '-');
  return text;
}

namespace {

std::string make_hex_id(std::size_t size) {
  std::vector<std::uint8_t> bytes(size);
  fill_random(bytes);
  bytes[0] |= 1;  // never all zero, which W3C trace context forbids
  return to_hex(bytes);
}

}  // namespace

std::string make_trace_id() { return make_hex_id(16); }
std::string make_span_id() { return make_hex_id(8); }

std::string make_token(std::size_t size) {
  static constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::vector<std::uint8_t> bytes(size);
  fill_random(bytes);
  std::string text;
  std::uint32_t bits = 0;
  int held = 0;
  for (const std::uint8_t byte : bytes) {
    bits = (bits << 8) | byte;
    for (held += 8; held >= 6; held -= 6) text += kAlphabet[(bits >> (held - 6)) & 63];
  }
  if (held > 0) text += kAlphabet[(bits << (6 - held)) & 63];
  return text;
}

}  // namespace aispm
