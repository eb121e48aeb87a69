// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

// English words: the common ones of common_words.hpp, the commonest first, then those of
// english_words.txt, which come from SCOWL. For what tells words apart that were run together or
// shuffled (respell.hpp).
namespace aispm::detect {

class EnglishWords {
 public:
  static constexpr std::size_t kMaxLetters = 16;
  // A shuffled word of fewer letters has no letters that could change places.
  static constexpr std::size_t kMinShuffled = 4;

  // A word as its letters in two numbers, small and capital ones alike.
  struct Key {
    std::uint64_t head = 0;
    std::uint64_t tail = 0;
    bool operator==(const Key&) const = default;
  };
  using Letters = std::array<char, kMaxLetters>;  // 0 behind the last
  static Letters letters_of(const Key& key);
  // Of the `size` (1..kMaxLetters) ASCII letters at `at` of `text`.
  static Key key_of(std::string_view text, std::size_t at, std::size_t size);
  static Key key_of(std::string_view word) { return key_of(word, 0, word.size()); }
  // Of the first `size` (1..kMaxLetters) of a key's letters.
  static Key first_of(const Key& key, std::size_t size);

  // Made at the first call (about 5 ms); any thread.
  static const EnglishWords& get();

  // False: surely no word. True for words, and for one in fifteen other keys.
  bool may_have(const Key& key) const { return known_[hash(key) % kKnownBits]; }
  // How rare the word is, as the logarithm of its rank; null when there is none.
  const float* cost_of(const Key& key) const;
  // The letters, small, of the commonest word that `text` (kMinShuffled to kMaxLetters letters) is
  // a shuffle of, the first and the last in place; head is 0 when there is none, or `text` is a
  // word.
  Key unshuffled(std::string_view text) const;

 private:
  static constexpr std::size_t kSlots = 1U << 17;
  static constexpr std::size_t kKnownBits = 1U << 19;
  static constexpr std::size_t kMaxWords = 60'000;

  EnglishWords();
  void add(std::string_view words);
  static std::uint64_t hash(const Key& key);
  static std::uint32_t shuffle_hash(std::string_view word);

  std::vector<Key> words_;
  std::vector<float> costs_;
  std::vector<std::uint16_t> exact_;  // slot: number of a word, from 1; 0 is free
  std::vector<std::uint16_t> mixed_;
  std::bitset<kKnownBits> known_;
};

}  // namespace aispm::detect
