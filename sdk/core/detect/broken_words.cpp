// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/broken_words.hpp"

#include <algorithm>
#include <array>

#include "sdk/core/detect/spelled_runs.hpp"
#include "sdk/core/detect/word_signs.hpp"

namespace aispm::detect {
namespace {

using word_signs::class_at;
using word_signs::is;
using word_signs::kBreak;
using word_signs::kClasses;
using word_signs::kGap;
using word_signs::kLeet;
using word_signs::kLeetFrom;
using word_signs::kLetter;

constexpr std::string_view kLeetTo = "oieasgtbgasii";
constexpr std::size_t kMaxBreak = 3;       // breaks in a row inside a word
constexpr std::size_t kMaxNumberWord = 4;  // digits that may be a word in leet
constexpr std::size_t kMaxLeetWord = 24;   // longer ones are keys and hashes

constexpr std::array<char, 256> make_letters(char one) {
  std::array<char, 256> letters{};
  for (unsigned c = 'a'; c <= 'z'; ++c) letters[c] = letters[c - 32] = static_cast<char>(c);
  for (std::size_t i = 0; i < kLeetFrom.size(); ++i)
    letters[static_cast<std::uint8_t>(kLeetFrom[i])] = kLeetTo[i];
  letters['1'] = one;
  return letters;
}
constexpr auto kWithI = make_letters('i');
constexpr auto kWithL = make_letters('l');

// The end of a tag that begins at `at` inside a word, or `at`.
std::size_t skip_markup(std::string_view text, std::size_t at) {
  if (at >= text.size() || text[at] != '<') return at;
  const std::string_view tag = text.substr(at, kMaxMarkupBytes);
  const auto close = tag.find('>');
  const bool tag_like = tag.size() > 2 && (tag[1] == '/' || tag[1] == '!' || is(tag, 1, kLetter));
  return close == std::string_view::npos || !tag_like ? at : at + close + 1;
}

// The end of what breaks a word at `at`; `at` when nothing does.
std::size_t skip_breaks(std::string_view text, std::size_t at) {
  std::size_t end = at;
  for (std::size_t i = 0; i < kMaxBreak; ++i) {
    const std::size_t tag = skip_markup(text, end);
    if (tag != end) {
      end = tag;
    } else if (is(text, end, kBreak) && !(is(text, end, kLeet) && is(text, end + 1, kLetter))) {
      ++end;
    } else {
      break;
    }
  }
  return end;
}

// A token: letters, and what may stand for letters or break them, without white space.
struct Token {
  std::size_t begin = 0;
  std::size_t end = 0;
};

// One token with its disguise taken off.
struct Mended {
  std::array<char, kMaxTokenBytes> letters{};
  std::array<std::uint16_t, kMaxTokenBytes> origin{};  // relative to the token
  std::array<bool, kMaxTokenBytes> edited{};           // a leet letter, or a break stands before it
  std::size_t size = 0;
};

// A sign that stands for a letter does so beside letters only; `!` and `|` between them.
bool reads_as_letter(std::string_view text, std::size_t at) {
  const char c = text[at];
  const bool inner =
      at > 0 && is(text, at - 1, kLetter | kLeet) && is(text, at + 1, kLetter | kLeet);
  return (c != '!' && c != '|') || inner;
}

// "user's", "don't": an apostrophe that hides nothing.
bool is_contraction(std::string_view text, std::size_t at) {
  if (text[at] != '\'') return false;
  std::size_t end = at + 1;
  while (end < text.size() && end < at + 4 && is(text, end, kLetter)) ++end;
  const std::string_view tail = text.substr(at + 1, end - at - 1);
  constexpr std::string_view kTails[] = {"s", "t", "d", "m", "re", "ll", "ve"};
  return std::find(std::begin(kTails), std::end(kTails), tail) != std::end(kTails);
}

bool mend(std::string_view text, Token token, const std::array<char, 256>& letters, Mended& out) {
  out.size = 0;
  bool changed = false;
  bool broken = false;
  bool has_letter = false;
  for (std::size_t i = token.begin; i < token.end && out.size < kMaxTokenBytes;) {
    const std::uint8_t type = class_at(text, i);
    const bool leet = (type & kLeet) != 0 && reads_as_letter(text, i);
    if ((type & kLetter) != 0 || leet) {
      has_letter = has_letter || (type & kLetter) != 0;
      out.letters[out.size] = letters[static_cast<std::uint8_t>(text[i])];
      out.origin[out.size] = static_cast<std::uint16_t>(i - token.begin);
      out.edited[out.size] = leet || broken;
      changed = changed || leet || broken;
      broken = false;
      ++out.size;
      ++i;
      continue;
    }
    const std::size_t next = skip_breaks(text, i);
    broken = out.size > 0 && !is_contraction(text, i);
    i = next == i ? i + 1 : next;
  }
  return changed && has_letter;
}

// Whether a word of the vocabulary came out that was not there.
bool shows_word(const Mended& token, const Vocabulary& vocabulary) {
  for (std::size_t at = 0; at + Vocabulary::kMinStem <= token.size; ++at) {
    if (at > 0 && !token.edited[at]) continue;  // begins a piece
    const std::size_t stem =
        vocabulary.stem_of(std::string_view(token.letters.data() + at, token.size - at));
    for (std::size_t i = at + 1; i < at + stem; ++i)
      if (token.edited[i]) return true;
    // The first letter may be the only one that was changed.
    if (stem > 0 && at == 0 && token.edited[0]) return true;
  }
  return false;
}

// The token around `at`, if it is short enough for a word.
Token token_at(std::string_view text, std::size_t at, std::size_t floor) {
  constexpr std::uint8_t kAny = kLetter | kLeet | kBreak;
  Token token{at, at};
  while (token.begin > floor && is(text, token.begin - 1, kAny) &&
         at - token.begin < kMaxTokenBytes / 2)
    --token.begin;
  while (token.end < text.size() && token.end - token.begin < kMaxTokenBytes) {
    if (text[token.end] == '<' && token.end > 0 && is(text, token.end - 1, kLetter)) {
      const std::size_t after = skip_breaks(text, token.end);
      if (!is(text, after, kLetter)) break;
      token.end = std::min(after, token.begin + kMaxTokenBytes);
      continue;
    }
    if (!is(text, token.end, kAny)) break;
    ++token.end;
  }
  return token;
}

void copy(std::string_view text, std::size_t begin, std::size_t end, Shadow& out) {
  for (std::size_t i = begin; i < end; ++i) {
    out.text.push_back(text[i]);
    out.origin.push_back({static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(i + 1)});
  }
}

void put(char c, std::size_t at, Shadow& out) {
  out.text.push_back(c);
  out.origin.push_back({static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(at + 1)});
}

// A longer separator than between letters, or white space alone, stands between words.
void join_spelled(std::string_view text, std::size_t begin, std::size_t end, Shadow& out) {
  const std::size_t usual = separator_at(text, begin + 1).size;
  for (std::size_t i = begin; i < end;) {
    put(kWithI[static_cast<std::uint8_t>(text[i])], i, out);
    const Separator gap = i + 1 < end ? separator_at(text, i + 1) : Separator{};
    if (gap.size > usual || (gap.size > 0 && !gap.has_sign)) put(' ', i + 1, out);
    i += 1 + gap.size;
  }
}

bool has_breaks(const Mended& token) {
  for (std::size_t i = 1; i < token.size; ++i)
    if (token.origin[i] != token.origin[i - 1] + 1) return true;
  return false;
}

bool is_upper(std::string_view text, std::size_t at) {
  return at < text.size() && text[at] >= 'A' && text[at] <= 'Z';
}

// Whether the letter that stands for the byte at `at` is a capital: as it is, or as its neighbours.
bool stands_in_capitals(std::string_view text, std::size_t at, bool is_first) {
  if (is(text, at, kLetter)) return is_upper(text, at);
  return is_first ? is_upper(text, at + 1) : is_upper(text, at - 1);
}

// "h77p5://3v11.c0m": an address whose scheme is in leet. Its signs do not break words.
bool is_leet_address(std::string_view text, Token token) {
  const std::string_view word = text.substr(token.begin, token.end - token.begin);
  const std::size_t signs = word.find("://");
  if (signs == std::string_view::npos) return false;
  for (const std::string_view scheme : {"http", "https"}) {
    if (signs < scheme.size()) continue;
    const std::string_view said = word.substr(signs - scheme.size(), scheme.size());
    bool in_leet = false;
    bool is_scheme = true;
    for (std::size_t i = 0; i < said.size(); ++i) {
      in_leet = in_leet || is(said, i, kLeet);
      is_scheme = is_scheme && kWithI[static_cast<std::uint8_t>(said[i])] == scheme[i];
    }
    if (in_leet && is_scheme) return true;
  }
  return false;
}

void put_address(std::string_view text, Token token, Shadow& out) {
  for (std::size_t i = token.begin; i < token.end; ++i) {
    const bool is_digit = text[i] >= '0' && text[i] <= '9';
    put(is_digit && is(text, i, kLeet) ? kWithI[static_cast<std::uint8_t>(text[i])] : text[i], i,
        out);
  }
}

void mend_token(std::string_view text, Token token, const Vocabulary& vocabulary, Mending mending,
                Shadow& out) {
  if (is_leet_address(text, token)) return put_address(text, token, out);
  Mended mended;
  if (token.end - token.begin >= kMaxTokenBytes || !mend(text, token, kWithI, mended))
    return copy(text, token.begin, token.end, out);
  if (!shows_word(mended, vocabulary)) {
    Mended other;
    if (mend(text, token, kWithL, other) && shows_word(other, vocabulary)) {
      mended = other;
    } else if (mending == Mending::kKnownWords && has_breaks(mended)) {
      // "well-known", "system-prompt", "foo.bar": as they are
      return copy(text, token.begin, token.end, out);
    }
  }
  const bool keeps_case = mending != Mending::kKnownWords;
  for (std::size_t i = 0; i < mended.size; ++i) {
    const std::size_t at = token.begin + mended.origin[i];
    const bool upper = keeps_case && stands_in_capitals(text, at, i == 0);
    put(upper ? static_cast<char>(mended.letters[i] - 'a' + 'A') : mended.letters[i], at, out);
  }
  // Punctuation at the end stays a border.
  const std::size_t last = token.begin + mended.origin[mended.size - 1] + 1;
  copy(text, last, token.end, out);
}

// Digits alone that may be a short word in leet.
bool is_number_word(std::string_view text, Token token) {
  if (token.end - token.begin > kMaxNumberWord) return false;
  for (std::size_t i = token.begin; i < token.end; ++i)
    if (!is(text, i, kLeet)) return false;
  return true;
}

// What may break or disguise a word, beside a letter.
bool is_suspect(std::string_view text, std::size_t at, std::uint8_t type, bool letter_before) {
  // "ig-nore", and with emphasis "ig**nore**".
  if ((type & kBreak) != 0 && letter_before && is(text, skip_breaks(text, at), kLetter | kLeet))
    return true;
  if ((type & kLeet) != 0 && (letter_before || is(text, at + 1, kLetter))) return true;
  return letter_before && text[at] == '<' && skip_markup(text, at) != at;
}

}  // namespace

bool is_mostly_leet(std::string_view text) {
  constexpr std::size_t kMinWords = 3;  // of leet
  std::size_t words = 0;
  std::size_t leet_words = 0;
  for (std::size_t at = 0; at < text.size();) {
    if (!is(text, at, kLetter | kLeet)) {
      ++at;
      continue;
    }
    std::size_t letters = 0;
    std::size_t digits = 0;
    const std::size_t begin = at;
    for (; is(text, at, kLetter | kLeet); ++at) {
      letters += is(text, at, kLetter) ? 1 : 0;
      digits += text[at] >= '0' && text[at] <= '9' ? 1 : 0;
    }
    const std::size_t size = at - begin;
    if (size < 3 || size > kMaxLeetWord) continue;
    ++words;
    leet_words += letters > 0 && digits > 0 ? 1 : 0;
  }
  return leet_words >= kMinWords && leet_words * 3 >= words;
}

bool has_broken_words(std::string_view text, const Vocabulary& vocabulary) {
  std::size_t done = 0;  // tokens before were looked at
  Mended mended;
  SpelledRuns spelled(text);
  for (std::size_t at = 0; at < text.size(); ++at) {
    const std::uint8_t type = kClasses[static_cast<std::uint8_t>(text[at])];
    if (type == kLetter) continue;  // most bytes end here
    const bool before = at > 0 && is(text, at - 1, kLetter);
    const bool alone = before && (at == 1 || !is(text, at - 2, kLetter | kLeet));
    if (alone && (type & (kGap | kBreak)) != 0 && spelled.at(at - 1).letters >= kMinSpelledLetters)
      return true;
    if (at < done || !is_suspect(text, at, type, before)) continue;
    const Token token = token_at(text, at, done);
    done = token.end;
    if (is_leet_address(text, token)) return true;
    if (token.end - token.begin >= kMaxTokenBytes) continue;
    if (mend(text, token, kWithI, mended) && shows_word(mended, vocabulary)) return true;
    const bool has_one =
        text.substr(token.begin, token.end - token.begin).find('1') != std::string_view::npos;
    if (has_one && mend(text, token, kWithL, mended) && shows_word(mended, vocabulary)) return true;
  }
  return false;
}

void mend_words(std::string_view text, const Vocabulary& vocabulary, Mending mending, Shadow& out) {
  out.clear();
  SpelledRuns spelled(text);
  for (std::size_t at = 0; at < text.size();) {
    if (!is(text, at, kLetter | kLeet)) {
      copy(text, at, at + 1, out);
      ++at;
      continue;
    }
    if (const Spelled run = spelled.at(at); run.letters >= kMinSpelledLetters) {
      join_spelled(text, at, run.end, out);
      at = run.end;
      continue;
    }
    const Token token = token_at(text, at, at);
    if (mending == Mending::kLeetText && is_number_word(text, token)) {
      for (std::size_t i = token.begin; i < token.end; ++i)
        put(kWithI[static_cast<std::uint8_t>(text[i])], i, out);
      at = token.end;
      continue;
    }
    mend_token(text, token, vocabulary, mending, out);
    at = token.end;
  }
}

}  // namespace aispm::detect
