// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sdk/core/detect/normalise.hpp"

// How the classifier reads letters; shared by its lexicon and its features, so that a word in the
// lexicon is the same as in a text.
namespace aispm::detect {

inline constexpr std::uint32_t kHashSeed = 0x811c9dc5;

inline std::uint32_t mix(std::uint32_t hash, std::uint32_t value) {
  hash = (hash ^ value) * 0x01000193;
  return hash ^ (hash >> 15);
}

inline bool is_ideograph(std::uint32_t c) {
  return (c >= 0x3040 && c < 0xa000) || (c >= 0xac00 && c < 0xd7b0) || (c >= 0xf900 && c < 0xfb00);
}

// Letters that folding leaves alone: all scripts but punctuation, symbols and private use.
inline bool is_foreign_letter(std::uint32_t c) {
  return c >= 0xc0 && !(c >= 0x2000 && c < 0x3040) && c < 0x1f000 && c != 0x060c && c != 0x0964 &&
         !(c >= 0xe000 && c < 0xf900) && !(c >= 0xfb00 && c < 0xfe00 + 0x200);
}

struct Folded {
  std::uint32_t size = 0;  // bytes of the text
  std::array<std::uint32_t, 6> letters{};
  std::uint32_t count = 0;  // 0 = dropped
  bool is_upper = false;
};

inline bool is_word_letter(std::uint32_t c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || is_foreign_letter(c);
}

// Capitals of Greek and Cyrillic; those of Latin letters become ASCII first.
inline std::uint32_t lower_case(std::uint32_t c) {
  if ((c >= 0x391 && c <= 0x3a9) || (c >= 0x410 && c <= 0x42f)) return c + 0x20;
  return c >= 0x400 && c <= 0x40f ? c + 0x50 : c;
}

inline Folded fold(std::string_view text, std::size_t at) {
  const auto byte = static_cast<std::uint8_t>(text[at]);
  Folded folded;
  folded.size = 1;
  folded.count = 1;
  if (byte < 0x80) {
    folded.is_upper = byte >= 'A' && byte <= 'Z';
    folded.letters[0] = folded.is_upper ? byte + 32U : byte;
    return folded;
  }
  const Decoded decoded = decode_utf8(text, at);
  if (decoded.size == 0 || decoded.code_point == kInvalidByte) {
    folded.letters[0] = ' ';
    return folded;
  }
  folded.size = decoded.size;
  const std::uint32_t lower = lower_case(decoded.code_point);
  const Replacement& known = normalise_code_point(lower);
  if (known.size == 1 && known.bytes[0] == kOther) {
    folded.letters[0] = lower;
    return folded;
  }
  folded.count = known.size;
  for (std::size_t i = 0; i < known.size; ++i) {
    const auto c = static_cast<std::uint8_t>(known.bytes[i]);
    folded.letters[i] = c >= 'A' && c <= 'Z' ? c + 32U : c;
  }
  return folded;
}

}  // namespace aispm::detect
