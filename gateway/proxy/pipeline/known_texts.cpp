// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/pipeline/known_texts.hpp"

#include <bit>
#include <cstring>
#include <random>

namespace aispm::gateway {
namespace {

// SipHash as in Aumasson and Bernstein 2012, with one round a word and three at the end.
struct Sip {
  std::uint64_t a, b, c, d;

  void round() {
    a += b;
    b = std::rotl(b, 13) ^ a;
    a = std::rotl(a, 32);
    c += d;
    d = std::rotl(d, 16) ^ c;
    a += d;
    d = std::rotl(d, 21) ^ a;
    c += b;
    b = std::rotl(b, 17) ^ c;
    c = std::rotl(c, 32);
  }
  void take(std::uint64_t word) {
    d ^= word;
    round();
    a ^= word;
  }
};

}  // namespace

KnownTexts::KnownTexts() {
  std::random_device random;
  for (std::uint64_t& word : key_) word = (std::uint64_t{random()} << 32U) | random();
}

std::uint64_t KnownTexts::key_of(std::uint64_t tag, std::string_view text) const {
  Sip sip{key_[0] ^ 0x736f6d6570736575ULL, key_[1] ^ 0x646f72616e646f6dULL,
          key_[0] ^ 0x6c7967656e657261ULL, key_[1] ^ 0x7465646279746573ULL};
  sip.take(tag);
  std::size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + at, 8);
    sip.take(word);
  }
  std::uint64_t rest = std::uint64_t{text.size()} << 56U;
  for (std::size_t i = 0; at + i < text.size(); ++i)
    rest |= std::uint64_t{static_cast<std::uint8_t>(text[at + i])} << (8 * i);
  sip.take(rest);
  sip.c ^= 0xff;
  for (int i = 0; i < 3; ++i) sip.round();
  const std::uint64_t hash = sip.a ^ sip.b ^ sip.c ^ sip.d;
  return hash == 0 ? 1 : hash;
}

}  // namespace aispm::gateway
