// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/split_words.hpp"

#include <array>
#include <cstddef>

#include "sdk/core/detect/english_words.hpp"

namespace aispm::detect {
namespace {

constexpr std::size_t kMinWord = 4;     // letters of a word that counts
constexpr std::size_t kMinSplit = 3;    // cut words in a text
constexpr std::size_t kShareOfAll = 4;  // one in so many words is cut
constexpr std::string_view kCuts = "-_.*~^=+|";

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

std::size_t letters_at(std::string_view text, std::size_t at) {
  std::size_t size = 0;
  while (at + size < text.size() && is_letter(text[at + size])) ++size;
  return size;
}

// Bytes of the sign at `at` that may cut a word, which may stand twice ("ig**nore"); 0: none.
std::size_t cut_size(std::string_view text, std::size_t at) {
  if (at >= text.size() || kCuts.find(text[at]) == std::string_view::npos) return 0;
  return at + 1 < text.size() && text[at + 1] == text[at] ? 2 : 1;
}

bool is_word(const EnglishWords& words, std::string_view letters) {
  if (letters.size() < 2 || letters.size() > EnglishWords::kMaxLetters) return false;
  const EnglishWords::Key key = EnglishWords::key_of(letters);
  return words.may_have(key) && words.cost_of(key) != nullptr;
}

// Whether `left` and `right`, which a sign parts, are one word that was cut.
bool is_cut_word(const EnglishWords& words, std::string_view left, std::string_view right) {
  std::array<char, EnglishWords::kMaxLetters> joined{};
  const std::size_t size = left.size() + right.size();
  if (size < kMinWord || size > joined.size()) return false;
  left.copy(joined.data(), left.size());
  right.copy(joined.data() + left.size(), right.size());
  return is_word(words, std::string_view(joined.data(), size)) &&
         !(is_word(words, left) && is_word(words, right));
}

}  // namespace

bool is_mostly_split(std::string_view text) {
  const EnglishWords& words = EnglishWords::get();
  std::size_t all = 0;
  std::size_t split = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = letters_at(text, at);
    if (size == 0) {
      ++at;
      continue;
    }
    const std::size_t cut = at + size;
    const std::size_t behind = cut + cut_size(text, cut);
    const std::size_t next = behind > cut ? letters_at(text, behind) : 0;
    if (next > 0 && is_cut_word(words, text.substr(at, size), text.substr(behind, next))) {
      ++all;
      ++split;
      at = behind + next;
      continue;
    }
    all += size >= kMinWord ? 1 : 0;
    at = cut;
  }
  return split >= kMinSplit && split * kShareOfAll >= all;
}

}  // namespace aispm::detect
