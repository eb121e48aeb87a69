// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/spelled_runs.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "sdk/core/detect/word_signs.hpp"

namespace aispm::detect {
namespace {

using word_signs::is;
using word_signs::kLeet;
using word_signs::kLetter;

// Letter by letter from each place anew, as it is meant.
Spelled walked(std::string_view text, std::size_t at) {
  constexpr std::uint8_t kAny = kLetter | kLeet;
  Spelled run{at, 0};
  if (at > 0 && is(text, at - 1, kAny)) return run;
  std::size_t true_letters = 0;
  std::size_t signs = 0;
  for (std::size_t i = at;
       run.letters < SpelledRuns::kMaxLetters && is(text, i, kAny) && !is(text, i + 1, kAny);) {
    ++run.letters;
    true_letters += is(text, i, kLetter) ? 1 : 0;
    run.end = i + 1;
    const Separator gap = separator_at(text, i + 1);
    signs += gap.has_sign ? 1 : 0;
    if (gap.size == 0) break;
    i += 1 + gap.size;
  }
  if (true_letters * 2 < run.letters || signs * 2 < run.letters) run.letters = 0;
  return run;
}

TEST(SpelledRuns, AreThoseOfAWalkFromEachPlace) {
  constexpr std::string_view kPieces[] = {"x ",  "i.",  "a - ",  "1.",     "|", "#",
                                          "ab ", "<b>", "b    ", "c     ", "\n"};
  std::mt19937 random(7);
  for (int round = 0; round < 400; ++round) {
    std::string text;
    const std::size_t pieces = 1 + round * 5U;
    const std::size_t kinds = 1 + random() % std::size(kPieces);
    for (std::size_t i = 0; i < pieces; ++i) text += kPieces[random() % kinds];
    SpelledRuns runs(text);
    for (std::size_t at = 0; at < text.size(); ++at) {
      const Spelled wanted = walked(text, at);
      const Spelled run = runs.at(at);
      ASSERT_EQ(run.letters, wanted.letters) << at << " of " << text;
      if (run.letters > 0) {
        ASSERT_EQ(run.end, wanted.end) << at << " of " << text;
      }
    }
  }
}

TEST(SpelledRuns, EndAtTheirLimit) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "i.";
  SpelledRuns runs(text);
  EXPECT_EQ(runs.at(0).letters, SpelledRuns::kMaxLetters);
  EXPECT_EQ(runs.at(2 * 900).letters, 100U);
}

}  // namespace
}  // namespace aispm::detect
