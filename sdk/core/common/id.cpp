// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/common/id.hpp"

#include <pthread.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <atomic>
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

std::string to_hex(std::span<const std::uint8_t> bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text(bytes.size() * 2, '\0');
  char* out = text.data();
  for (const std::uint8_t byte : bytes) {
    *out++ = kHex[byte >> 4];
    *out++ = kHex[byte & 15];
  }
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
  const std::string hex = to_hex(bytes);
  std::string text;
  text.reserve(36);
  for (std::size_t i = 0; i < hex.size(); ++i) {
    if (i == 8 || i == 12 || i == 16 || i == 20) text += '-';
    text += hex[i];
  }
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
