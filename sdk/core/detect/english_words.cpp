// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/english_words.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

// One literal longer than the standard asks compilers to take; both of ours do.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverlength-strings"
#include "detect/english_words.inc"
#pragma GCC diagnostic pop
#include "sdk/core/detect/common_words.hpp"

namespace aispm::detect {
namespace {

static_assert(sizeof(EnglishWords::Key) == sizeof(EnglishWords::Letters));

char lower(char c) { return static_cast<char>(c | 0x20); }

std::string_view text_of(const EnglishWords::Letters& letters) {
  const auto* const end = std::find(letters.begin(), letters.end(), '\0');
  return {letters.data(), static_cast<std::size_t>(end - letters.begin())};
}

bool has_same_letters(std::string_view text, std::string_view known) {
  std::array<std::int8_t, 128> count{};
  for (const char c : text) ++count[static_cast<std::size_t>(lower(c))];
  for (const char c : known) --count[static_cast<std::size_t>(c)];
  return std::all_of(count.begin(), count.end(), [](std::int8_t n) { return n == 0; });
}

}  // namespace

EnglishWords::Letters EnglishWords::letters_of(const Key& key) {
  Letters letters;
  std::memcpy(letters.data(), &key, sizeof key);
  return letters;
}

EnglishWords::Key EnglishWords::key_of(std::string_view text, std::size_t at, std::size_t size) {
  constexpr std::uint64_t kSmall = 0x2020202020202020U;
  Key key;
  if (text.size() - at >= sizeof key) {
    std::memcpy(&key, text.data() + at, sizeof key);
  } else {
    Letters bytes{};
    std::copy_n(text.begin() + static_cast<std::ptrdiff_t>(at), size, bytes.begin());
    std::memcpy(&key, bytes.data(), sizeof key);
  }
  return first_of({key.head | kSmall, key.tail | kSmall}, size);
}

EnglishWords::Key EnglishWords::first_of(const Key& key, std::size_t size) {
  constexpr std::size_t kHalf = sizeof key.head;
  const auto mask = [](std::size_t bytes) {
    return bytes >= kHalf ? ~std::uint64_t{0} : (std::uint64_t{1} << (8 * bytes)) - 1;
  };
  return {key.head & mask(size), size > kHalf ? key.tail & mask(size - kHalf) : 0};
}

std::uint64_t EnglishWords::hash(const Key& key) {
  std::uint64_t value = key.head * 0x9e3779b97f4a7c15U ^ (key.tail + 1) * 0xc2b2ae3d27d4eb4fU;
  value ^= value >> 32;
  value *= 0x9e3779b97f4a7c15U;
  return value ^ value >> 29;
}

// The same for every order of the letters between the first and the last.
std::uint32_t EnglishWords::shuffle_hash(std::string_view word) {
  const auto value = [](char c) {
    return (static_cast<std::uint32_t>(lower(c)) * 0x9e3779b9U) ^
           (static_cast<std::uint32_t>(lower(c)) << 7);
  };
  std::uint32_t inner = 0;
  for (std::size_t i = 1; i + 1 < word.size(); ++i) inner += value(word[i]) * value(word[i]);
  const std::uint32_t all = inner + value(word.front()) * 3 + value(word.back()) * 0x01000193U;
  return (all ^ all >> 15) * 0x85ebca6bU >> 8;
}

const EnglishWords& EnglishWords::get() {
  static const std::unique_ptr<const EnglishWords> words(new EnglishWords);
  return *words;
}

EnglishWords::EnglishWords() : exact_(kSlots), mixed_(kSlots) {
  words_.reserve(kMaxWords);
  costs_.reserve(kMaxWords);
  add(kCommonWords);
  add(kEnglishWords);
}

void EnglishWords::add(std::string_view words) {
  const auto put = [](std::vector<std::uint16_t>& slots, std::uint64_t at, std::size_t number) {
    while (slots[at % kSlots] != 0) ++at;
    slots[at % kSlots] = static_cast<std::uint16_t>(number);
  };
  while (!words.empty() && words_.size() < kMaxWords) {
    const std::size_t space = std::min(words.find(' '), words.size());
    const std::string_view text = words.substr(0, space);
    words.remove_prefix(std::min(space + 1, words.size()));
    if (text.empty() || text.size() > kMaxLetters) continue;
    const Key key = key_of(text);
    words_.push_back(key);
    // Zipf: the n-th word is n times as rare as the first.
    costs_.push_back(std::log(static_cast<float>(words_.size()) * 8.0F));
    known_[hash(key) % kKnownBits] = true;
    put(exact_, hash(key), words_.size());
    if (text.size() >= kMinShuffled) put(mixed_, shuffle_hash(text), words_.size());
  }
}

const float* EnglishWords::cost_of(const Key& key) const {
  for (std::uint64_t at = hash(key); exact_[at % kSlots] != 0; ++at) {
    const std::size_t word = exact_[at % kSlots] - 1U;
    if (words_[word] == key) return &costs_[word];
  }
  return nullptr;
}

EnglishWords::Key EnglishWords::unshuffled(std::string_view text) const {
  const Key own = key_of(text);
  if (may_have(own) && cost_of(own) != nullptr) return {};
  for (std::uint64_t at = shuffle_hash(text); mixed_[at % kSlots] != 0; ++at) {
    const Key& word = words_[mixed_[at % kSlots] - 1U];
    const Letters letters = letters_of(word);
    const std::string_view known = text_of(letters);
    // In the order in which they were put in, so the commonest comes first.
    if (known.size() == text.size() && known.front() == lower(text.front()) &&
        known.back() == lower(text.back()) && has_same_letters(text, known))
      return word;
  }
  return {};
}

}  // namespace aispm::detect
