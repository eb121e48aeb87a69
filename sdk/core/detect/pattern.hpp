// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/result.hpp"

// The syntax tree of a rule's pattern.
//
// The language is the part of Hyperscan's (PCRE) syntax that has one meaning everywhere: literals,
// `.`, classes, \d \w \s \D \W \S \t \n \r \f \xHH, (...), (?:...), |, ? * + {n} {n,} {n,m}, and
// (?i) at the start. Matching is by byte. Unlike Hyperscan, `.` and negated classes leave out bytes
// from 0x80 on: what lies beyond ASCII is matched in the normalised text, where every other
// character is one byte.
namespace aispm::detect {

using ByteSet = std::bitset<256>;

struct Node {
  enum class Kind : std::uint8_t { kSet, kConcat, kAlternate, kRepeat };
  static constexpr std::uint32_t kNoLimit = UINT32_MAX;

  Kind kind = Kind::kConcat;
  ByteSet set;                 // kSet
  std::vector<Node> children;  // kConcat (empty = the empty text), kAlternate, kRepeat (one)
  std::uint32_t low = 0;       // kRepeat
  std::uint32_t high = 0;      // kRepeat, kNoLimit = unbounded
};

inline constexpr std::size_t kMaxPatternDepth = 32;
inline constexpr std::uint32_t kMaxRepeat = 1024;

// kInvalid with the column (from 1) and what is allowed; kUnsupported for syntax outside the common
// subset.
Result<Node> parse_pattern(std::string_view pattern, bool caseless);

// A class such as `\w` or `[A-Za-z0-9_-]`, or one literal character.
Result<ByteSet> parse_class(std::string_view text);

// The same set as a Hyperscan class, e.g. "[\x30-\x39]".
std::string to_class(const ByteSet& set);

}  // namespace aispm::detect
