// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

// Bytes of HTTP heads: which may stand where, and names that differ in case only. For the head
// parser alone.
namespace aispm::codec::http1 {

using ByteSet = std::array<bool, 256>;

constexpr ByteSet make_set(std::string_view extra, bool letters_and_digits) {
  ByteSet set{};
  if (letters_and_digits) {
    for (int c = '0'; c <= '9'; ++c) set[static_cast<std::size_t>(c)] = true;
    for (int c = 'A'; c <= 'Z'; ++c) set[static_cast<std::size_t>(c)] = true;
    for (int c = 'a'; c <= 'z'; ++c) set[static_cast<std::size_t>(c)] = true;
  }
  for (const char c : extra) set[static_cast<unsigned char>(c)] = true;
  return set;
}

// RFC 9110 section 5.6.2.
constexpr ByteSet kToken = make_set("!#$%&'*+-.^_`|~", true);
// RFC 3986 reg-name, IP-literal and port; no comma, so that two hosts cannot hide in one header.
constexpr ByteSet kHost = make_set("-._~:[]%!$&'()*+;=", true);

inline bool all_of(std::string_view text, const ByteSet& set) {
  for (const char c : text)
    if (!set[static_cast<unsigned char>(c)]) return false;
  return true;
}

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

constexpr std::uint64_t each_byte(std::uint64_t byte) { return byte * 0x0101010101010101ULL; }

template <std::size_t kSize>
std::uint64_t load_word(const char* text) {
  std::uint64_t word = 0;
  std::memcpy(&word, text, kSize);
  return word;
}

// Eight bytes at once. A letter and the same in the other case differ in one bit, and so do other
// bytes that are not equal: '@' and '`', say.
inline bool equal_words(std::uint64_t left, std::uint64_t right) {
  constexpr std::uint64_t kCase = each_byte(0x20);
  constexpr std::uint64_t kHigh = each_byte(0x80);
  const std::uint64_t differs = left ^ right;
  if (differs == 0) return true;
  if ((differs & ~kCase) != 0) return false;
  const std::uint64_t low = left | kCase;
  const std::uint64_t seven = low & ~kHigh;
  const std::uint64_t from_a = seven + each_byte(0x80 - 'a');
  const std::uint64_t after_z = seven + each_byte(0x7f - 'z');
  const std::uint64_t letters = ~low & (from_a ^ after_z) & kHigh;
  return ((differs << 2U) & ~letters) == 0;
}

// Field values: HTAB, SP, VCHAR and obs-text (RFC 9110 section 5.5).
constexpr bool is_value_byte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
}

// Length of the longest prefix of value bytes.
inline std::size_t value_prefix(const char* text, std::size_t size) {
  std::size_t i = 0;
#if defined(__SSE2__)
  const __m128i bias = _mm_set1_epi8(static_cast<char>(0x80));
  const __m128i space = _mm_set1_epi8(static_cast<char>(0x20 ^ 0x80));
  const __m128i del = _mm_set1_epi8(0x7f);
  const __m128i tab = _mm_set1_epi8('\t');
  while (size >= 16 && i < size) {
    i = std::min(i, size - 16);  // the last block overlaps the one before it
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text + i));
    const __m128i control = _mm_cmplt_epi8(_mm_xor_si128(block, bias), space);
    const __m128i bad = _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(block, tab), control),
                                     _mm_cmpeq_epi8(block, del));
    const int mask = _mm_movemask_epi8(bad);
    if (mask != 0) return i + static_cast<std::size_t>(__builtin_ctz(static_cast<unsigned>(mask)));
    i += 16;
  }
#endif
  while (i < size && is_value_byte(text[i])) ++i;
  return i;
}

inline std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace aispm::codec::http1
