// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "sdk/core/detect/normalise.hpp"
#include "sdk/core/detect/vocabulary.hpp"

// Words that were broken up or written with digits so that patterns miss them: "Ign-ore pre-vious",
// "1gn0r3", "i g n o r e", "i.g.n.o.r.e", "ig<b></b>nore".
namespace aispm::detect {

inline constexpr std::size_t kMinSpelledLetters = 5;  // letters one by one that make a word
inline constexpr std::size_t kMaxTokenBytes = 160;    // longer ones are no words
inline constexpr std::size_t kMaxMarkupBytes = 40;    // of a tag within a word

// Whether mending would bring out a word of the vocabulary that does not stand there as it is, or
// whether letters are spelled out one by one. `text` is normalised. Linear, no allocation.
bool has_broken_words(std::string_view text, const Vocabulary& vocabulary);

// Replaces `out` by the text with such words mended: what breaks them dropped where a word of the
// vocabulary comes out, digits and signs in words with letters turned into the letters they look
// like, letters one by one put together.
void mend_words(std::string_view text, const Vocabulary& vocabulary, Shadow& out);

}  // namespace aispm::detect
