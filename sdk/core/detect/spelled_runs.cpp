// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/spelled_runs.hpp"

#include <algorithm>
#include <span>

#include "sdk/core/detect/word_signs.hpp"

namespace aispm::detect {

using word_signs::is;
using word_signs::kBreak;
using word_signs::kGap;
using word_signs::kLeet;
using word_signs::kLetter;

namespace {

constexpr std::size_t kMaxSeparator = 4;

bool stands_alone(std::string_view text, std::size_t at) {
  return is(text, at, kLetter | kLeet) && !is(text, at + 1, kLetter | kLeet);
}

}  // namespace

Separator separator_at(std::string_view text, std::size_t at) {
  Separator separator;
  for (; separator.size < kMaxSeparator && is(text, at + separator.size, kGap | kBreak);
       ++separator.size)
    separator.has_sign = separator.has_sign || is(text, at + separator.size, kBreak);
  return separator;
}

// Follows the letters from `at` on: where the next one stands depends on none before it.
void SpelledRuns::look(std::size_t at) {
  size_ = 0;
  goes_on_ = false;
  Letter next{.at = at, .true_letters = 0, .signs = 0};
  while (stands_alone(text_, next.at)) {
    goes_on_ = size_ == kAhead;
    if (goes_on_) break;
    letters_[size_++] = next;
    next.true_letters += is(text_, next.at, kLetter) ? 1 : 0;
    const Separator gap = separator_at(text_, next.at + 1);
    next.signs += gap.has_sign ? 1 : 0;
    if (gap.size == 0) break;
    next.at += 1 + gap.size;
  }
  letters_[size_++] = next;
}

// Among `letters_`, which hold all of the run that begins there.
std::size_t SpelledRuns::place_of(std::size_t at) {
  const std::span<const Letter> known(letters_.data(), size_);
  const auto found =
      std::lower_bound(known.begin(), known.end(), at,
                       [](const Letter& letter, std::size_t wanted) { return letter.at < wanted; });
  const auto place = static_cast<std::size_t>(found - known.begin());
  const bool is_known =
      place + 1 < size_ && found->at == at && (!goes_on_ || place + kMaxLetters < size_);
  if (is_known) return place;
  look(at);
  return 0;
}

Spelled SpelledRuns::at(std::size_t at) {
  Spelled run{at, 0};
  if (at > 0 && is(text_, at - 1, kLetter | kLeet)) return run;
  if (!stands_alone(text_, at)) return run;
  const std::size_t first = place_of(at);
  const std::size_t last = std::min(first + kMaxLetters, size_ - 1);
  run.end = letters_[last - 1].at + 1;
  run.letters = last - first;
  const std::size_t true_letters = letters_[last].true_letters - letters_[first].true_letters;
  const std::size_t signs = letters_[last].signs - letters_[first].signs;
  if (true_letters * 2 < run.letters || signs * 2 < run.letters) run.letters = 0;
  return run;
}

}  // namespace aispm::detect
