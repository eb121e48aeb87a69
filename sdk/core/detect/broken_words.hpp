// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "sdk/core/detect/normalise.hpp"
#include "sdk/core/detect/vocabulary.hpp"

// Words that were broken up or written with digits so that patterns miss them: "Ign-ore pre-vious",
// "1gn0r3", "i.g.n.o.r.e", "ig<b></b>nore".
namespace aispm::detect {

inline constexpr std::size_t kMinSpelledLetters = 5;  // letters one by one that make a word
inline constexpr std::size_t kMaxTokenBytes = 160;    // longer ones are no words
inline constexpr std::size_t kMaxMarkupBytes = 40;    // of a tag within a word

// Whether mending would bring out a word of the vocabulary that does not stand there as it is, or
// whether letters are spelled out one by one. `text` is normalised. Linear, no allocation.
bool has_broken_words(std::string_view text, const Vocabulary& vocabulary);

// Whether at least a third of the words mix letters with digits that look like letters. Linear, no
// allocation.
bool is_mostly_leet(std::string_view text);

enum class Mending : std::uint8_t {
  kKnownWords,  // breaks are dropped where a word of the vocabulary comes out
  kEveryWord,   // and everywhere else: for what reads a text of which some words were broken
  kLeetText,    // and short numbers are words, too: "70 15" is "to is" where all else is leet
};

// Replaces `out` by the text with such words mended: what breaks them dropped, digits and signs in
// words with letters turned into the letters they look like, letters one by one put together.
void mend_words(std::string_view text, const Vocabulary& vocabulary, Mending mending, Shadow& out);

}  // namespace aispm::detect
