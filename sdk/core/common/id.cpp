// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/common/id.hpp"

#include <pthread.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>
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

namespace {

std::atomic<unsigned> forks{0};

// Random bytes for ids, which must be unique but need not be secret: a system call for many of them
// at once. A child process never uses what its parent had in store.
void fill_id(std::span<std::uint8_t> bytes) {
  struct Store {
    std::array<std::uint8_t, 1024> bytes;
    std::size_t used = sizeof(bytes);
    unsigned forks = 0;
  };
  thread_local Store store;
  static const bool follows_forks =
      pthread_atfork(nullptr, nullptr, [] { forks.fetch_add(1, std::memory_order_relaxed); }) == 0;
  const unsigned now = forks.load(std::memory_order_relaxed);
  if (!follows_forks || store.forks != now || store.used + bytes.size() > store.bytes.size()) {
    fill_random(store.bytes);
    store.used = 0;
    store.forks = now;
  }
  std::copy_n(store.bytes.begin() + static_cast<std::ptrdiff_t>(store.used), bytes.size(),
              bytes.begin());
  store.used += bytes.size();
}

}  // namespace

namespace {

// Both digits of each byte.
constexpr std::array<char, 512> make_digits() {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::array<char, 512> digits{};
  for (std::size_t byte = 0; byte < 256; ++byte) {
    digits[2 * byte] = kHex[byte >> 4];
    digits[2 * byte + 1] = kHex[byte & 15];
  }
  return digits;
}
constexpr auto kDigits = make_digits();

char* put_hex(std::span<const std::uint8_t> bytes, char* out) {
  for (const std::uint8_t byte : bytes) {
    std::memcpy(out, kDigits.data() + 2 * byte, 2);
    out += 2;
  }
  return out;
}

}  // namespace

std::string to_hex(std::span<const std::uint8_t> bytes) {
  std::string text(bytes.size() * 2, '\0');
  put_hex(bytes, text.data());
  return text;
}

std::string make_uuid() {
  std::array<std::uint8_t, 16> bytes;
  fill_id(bytes);
  const auto milliseconds = static_cast<std::uint64_t>(wall_now().nanoseconds / 1'000'000);
  for (int i = 0; i < 6; ++i)
    bytes[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(milliseconds >> (40 - 8 * i));
  bytes[6] = static_cast<std::uint8_t>(0x70 | (bytes[6] & 0x0f));
  bytes[8] = static_cast<std::uint8_t>(0x80 | (bytes[8] & 0x3f));
  std::string text(36, '-');
  const std::span<const std::uint8_t> all(bytes);
  char* out = put_hex(all.first(4), text.data());
  for (const std::size_t begin : {4U, 6U, 8U}) out = put_hex(all.subspan(begin, 2), out + 1);
  put_hex(all.subspan(10), out + 1);
  return text;
}

namespace {

template <std::size_t kSize>
std::string make_hex_id() {
  std::array<std::uint8_t, kSize> bytes;
  fill_id(bytes);
  bytes[0] |= 1;  // never all zero, which W3C trace context forbids
  return to_hex(bytes);
}

}  // namespace

std::string make_trace_id() { return make_hex_id<16>(); }
std::string make_span_id() { return make_hex_id<8>(); }

std::string make_token(std::size_t size) {
  static constexpr char kAlphabet[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
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
