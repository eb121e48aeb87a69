// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

// What a byte may be in a word that is broken or in leet.
namespace aispm::detect::word_signs {

inline constexpr std::uint8_t kLetter = 1;
inline constexpr std::uint8_t kLeet = 2;   // stands for a letter
inline constexpr std::uint8_t kBreak = 4;  // may stand inside a word
inline constexpr std::uint8_t kGap = 8;    // white space

inline constexpr std::string_view kLeetFrom = "013456789@$!|";

constexpr std::array<std::uint8_t, 256> make_classes() {
  std::array<std::uint8_t, 256> classes{};
  for (unsigned c = 'a'; c <= 'z'; ++c) classes[c] = classes[c - 32] = kLetter;
  for (const char c : std::string_view("-_.*~^=+/\\,'`:;#|\x1a"))
    classes[static_cast<std::uint8_t>(c)] |= kBreak;
  for (const char c : kLeetFrom) classes[static_cast<std::uint8_t>(c)] |= kLeet;
  for (const char c : std::string_view(" \t\n\r")) classes[static_cast<std::uint8_t>(c)] |= kGap;
  return classes;
}
inline constexpr auto kClasses = make_classes();

inline std::uint8_t class_at(std::string_view text, std::size_t at) {
  return at < text.size() ? kClasses[static_cast<std::uint8_t>(text[at])] : 0;
}
inline bool is(std::string_view text, std::size_t at, std::uint8_t wanted) {
  return (class_at(text, at) & wanted) != 0;
}

}  // namespace aispm::detect::word_signs
