// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace aispm::detect {

// Letters one by one with signs between them: "i.g.n.o.r.e", "i - g - n - o - r - e". White space
// alone is the matter of spaced_letters.hpp.
struct Spelled {
  std::size_t end = 0;
  std::size_t letters = 0;
};

struct Separator {
  std::size_t size = 0;
  bool has_sign = false;  // not only white space
};
Separator separator_at(std::string_view text, std::size_t at);

// The runs of such letters in a text, asked for from its beginning to its end. Each letter is
// looked at once, though a run may begin at every one: "x x x x ..." would else cost the square of
// kMaxLetters. Does not allocate.
class SpelledRuns {
 public:
  static constexpr std::size_t kMaxLetters = 128;  // that are put together

  // `text` must outlive it.
  explicit SpelledRuns(std::string_view text) : text_(text) {}

  // The run that begins at `at`; no letters where none does.
  Spelled at(std::size_t at);

 private:
  static constexpr std::size_t kAhead = 4 * kMaxLetters;  // letters that are looked at together

  // Counts are of the letters before it in `letters_`.
  struct Letter {
    std::size_t at;
    std::uint32_t true_letters;
    std::uint32_t signs;
  };

  std::size_t place_of(std::size_t at);
  void look(std::size_t at);

  std::string_view text_;
  // And one behind the last. Not set to anything before there are some: most texts have none.
  std::array<Letter, kAhead + 1> letters_;
  std::size_t size_ = 0;
  bool goes_on_ = false;  // behind them
};

}  // namespace aispm::detect
