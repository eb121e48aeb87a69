// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/context.hpp"

#include <algorithm>

#include "sdk/core/detect/mention.hpp"

namespace aispm::detect {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// A letter, a digit or part of a character beyond ASCII.
bool is_word_byte(char c) {
  const char l = lower(c);
  return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || static_cast<unsigned char>(c) >= 0x80;
}

bool has_word(std::string_view text, std::string_view word) {
  const auto same = [](char a, char b) { return lower(a) == b; };
  for (auto from = text.begin();;) {
    const auto at = std::search(from, text.end(), word.begin(), word.end(), same);
    if (at == text.end()) return false;
    const auto end = at + static_cast<std::ptrdiff_t>(word.size());
    const bool begins = at == text.begin() || !is_word_byte(*(at - 1)) || !is_word_byte(*at);
    const bool ends = end == text.end() || !is_word_byte(*end) || !is_word_byte(*(end - 1));
    if (begins && ends) return true;
    from = at + 1;
  }
}

}  // namespace

bool is_near(const Context& context, std::string_view before, std::string_view match,
             std::string_view after) {
  const auto stands = [&](const std::string& word) {
    return has_word(before, word) || has_word(after, word);
  };
  if (std::any_of(context.without.begin(), context.without.end(), stands)) return false;
  if (!context.mentions && is_mention(before, match, after)) return false;
  return context.words.empty() || std::any_of(context.words.begin(), context.words.end(), stands);
}

bool is_near(const Context& context, std::string_view text, std::size_t begin, std::size_t end) {
  const std::size_t from = begin - std::min(begin, context.within);
  return is_near(context, text.substr(from, begin - from), text.substr(begin, end - begin),
                 text.substr(end, context.within));
}

}  // namespace aispm::detect
