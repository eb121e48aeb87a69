// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/code_text.hpp"

#include <algorithm>
#include <cstddef>

namespace aispm::detect {
namespace {

// Measured on files and on attacks of families that the classifier had not seen: docs/detection.md.
constexpr std::size_t kSignsPerText = 10;   // one in so many characters
constexpr std::size_t kNamesPerWords = 5;   // one in so many words
constexpr std::size_t kLetterPercent = 60;  // fewer are no sentences
constexpr std::size_t kLettersPerWord = 8;

constexpr std::string_view kSigns = "{}[]()<>=;_\"\\/$|*#`+&^~";

bool is_small(char c) { return c >= 'a' && c <= 'z'; }
bool is_capital(char c) { return c >= 'A' && c <= 'Z'; }
bool is_letter(char c) { return is_small(c) || is_capital(c) || (c & 0x80) != 0; }

}  // namespace

bool reads_like_code(std::string_view text) {
  std::size_t signs = 0;
  std::size_t letters = 0;
  std::size_t words = 0;
  std::size_t names = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const char last = i > 0 ? text[i - 1] : ' ';
    const char next = i + 1 < text.size() ? text[i + 1] : ' ';
    if (kSigns.find(c) != std::string_view::npos) ++signs;
    if (is_letter(c) || c == ' ') ++letters;
    if (is_letter(c) && !is_letter(last)) ++words;
    const bool joins = c == '_' && is_small(last) && is_small(next);
    // Not "iGnOrE".
    const bool turns =
        is_capital(c) && is_small(last) && is_small(next) && i > 1 && is_small(text[i - 2]);
    const bool calls = c == '(' && (is_letter(last) || last == '_');
    const bool option = c == '=' && is_small(last) && is_letter(next);
    if (joins || turns || calls || option) ++names;
  }
  if (words == 0) return false;
  words = std::max(words, letters / kLettersPerWord);  // words may be run together
  return signs * kSignsPerText >= text.size() || names * kNamesPerWords >= words ||
         letters * 100 < kLetterPercent * text.size();
}

bool is_plain_uri(std::string_view text) {
  constexpr std::size_t kMaxWords = 6;
  constexpr std::string_view kMark = "://";
  const auto mark = text.find(kMark);
  if (mark == 0 || mark == std::string_view::npos) return false;
  std::size_t words = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool digit = c >= '0' && c <= '9';
    const bool sign = std::string_view("+-._~/:@").find(c) != std::string_view::npos;
    if (!is_small(c) && !is_capital(c) && !digit && !sign) return false;
    if (is_letter(c) && (i == 0 || !is_letter(text[i - 1]))) ++words;
  }
  return words <= kMaxWords;
}

}  // namespace aispm::detect
