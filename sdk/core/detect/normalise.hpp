// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// The form of a text that a reader sees, in ASCII: compatibility forms resolved (NFKD), accents,
// zero-width and other invisible characters dropped, look-alike letters of other scripts and
// typographic quotes and dashes replaced, Unicode tag characters turned into the letters they hide.
// Any other character becomes one kOther byte.
//
// The mapping looks at one code point at a time, so a text may be normalised in pieces, and a span
// of the result leads back to a span of the original.
namespace aispm::detect {

inline constexpr char kOther = '\x1a';

// What one code point becomes: at most 6 bytes of ASCII, none if it is dropped.
struct Replacement {
  std::uint8_t size = 0;
  std::array<char, 6> bytes{};
};

// `code_point` may be anything; out of range gives kOther. Thread-safe; the table is made at the
// first call (about 50 ms).
const Replacement& normalise_code_point(std::uint32_t code_point);

// The next character of `text` at `at` (< size).
struct Decoded {
  std::uint32_t code_point = 0;  // kInvalidByte for a byte that is not part of valid UTF-8
  std::uint8_t size = 0;         // bytes; 0 = cut off by the end of `text`: more bytes are needed
};
inline constexpr std::uint32_t kInvalidByte = UINT32_MAX;
Decoded decode_utf8(std::string_view text, std::size_t at);

// A normalised text and where each of its bytes comes from.
struct Shadow {
  struct Origin {
    std::uint32_t begin;  // bytes in the original
    std::uint32_t end;
  };
  std::string text;
  std::vector<Origin> origin;  // one per byte of `text`

  void clear() {
    text.clear();
    origin.clear();
  }
};

// Replaces `shadow`. `text` must be shorter than 4 GiB. No allocation once `shadow` has grown.
void normalise(std::string_view text, Shadow& shadow);

bool is_ascii(std::string_view text);

}  // namespace aispm::detect
