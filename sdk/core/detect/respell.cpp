// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/respell.hpp"

#include <algorithm>
#include <cmath>

#include "sdk/core/detect/common_words.hpp"

namespace aispm::detect {
namespace {

constexpr std::size_t kMaxWord = 16;
constexpr std::size_t kMinMixed = 5;          // letters of a word that is worth a look
constexpr std::size_t kLettersToCapital = 8;  // fewer a capital: a name of a program, already apart
constexpr std::size_t kMinJoinedWords = 4;
constexpr float kUnknownLetter = 12;     // more than any known word costs
constexpr std::size_t kKnownShare = 65;  // percent of the letters that are in known words
constexpr std::size_t kMinMeanWord = 3;  // letters

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
bool is_capital(char c) { return c >= 'A' && c <= 'Z'; }

constexpr std::uint32_t mix(std::uint32_t hash, std::uint32_t value) {
  hash = (hash ^ value) * 0x01000193U;
  return hash ^ (hash >> 15);
}
constexpr std::uint32_t kSeed = 0x811c9dc5U;

// A number for each letter, the same for small and capital; 0 is no letter.
constexpr std::array<std::uint32_t, 256> make_values() {
  std::array<std::uint32_t, 256> values{};
  for (unsigned c = 'a'; c <= 'z'; ++c)
    values[c] = values[c - 32] = mix(mix(kSeed, c), 0x9e3779b9U) | 1U;
  return values;
}
constexpr auto kValues = make_values();

std::uint32_t value_of(char c) { return kValues[static_cast<std::uint8_t>(c)]; }
bool is_letter(char c) { return value_of(c) != 0; }

// The same for every order of the letters between the first and the last.
std::uint32_t shuffle_key(std::string_view word) {
  std::uint32_t inner = 0;
  for (std::size_t i = 1; i + 1 < word.size(); ++i) inner += value_of(word[i]);
  return mix(inner + 3 * value_of(word.front()), value_of(word.back()));
}

bool is_same(std::string_view word, std::string_view known) {
  return word.size() == known.size() && std::equal(word.begin(), word.end(), known.begin(),
                                                   [](char a, char b) { return lower(a) == b; });
}

bool has_same_letters(std::string_view word, std::string_view known) {
  std::array<std::int8_t, 128> count{};
  for (const char c : word) ++count[static_cast<std::size_t>(lower(c))];
  for (const char c : known) --count[static_cast<std::size_t>(c)];
  return std::all_of(count.begin(), count.end(), [](std::int8_t n) { return n == 0; });
}

// The words, by their letters and by their letters in any order. Built once.
class Dictionary {
 public:
  struct Word {
    std::string_view text;
    float cost = 0;  // less the commoner
  };

  static const Dictionary& get() {
    static const Dictionary dictionary;
    return dictionary;
  }

  // The word that is `text`, whose hash() is given; null when there is none.
  const Word* find(std::uint32_t hash, std::string_view text) const {
    for (std::size_t slot = hash % kSlots; exact_[slot] != 0; slot = (slot + 1) % kSlots)
      if (is_same(text, words_[exact_[slot] - 1U].text)) return &words_[exact_[slot] - 1U];
    return nullptr;
  }

  // The commonest word that `text` may be a shuffle of; null when there is none. `text` has
  // kMinMixed letters or more.
  const Word* shuffled(std::string_view text) const {
    const std::uint32_t key = shuffle_key(text);
    const Word* found = nullptr;
    for (std::size_t slot = key % kSlots; mixed_[slot] != 0; slot = (slot + 1) % kSlots) {
      const Word& word = words_[mixed_[slot] - 1U];
      if (word.text.size() != text.size() || word.text.front() != lower(text.front()) ||
          word.text.back() != lower(text.back()))
        continue;
      if (is_same(text, word.text)) return nullptr;
      if (found == nullptr && has_same_letters(text, word.text)) found = &word;
    }
    return found;
  }

  static std::uint32_t hash(std::string_view text) {
    std::uint32_t hash = kSeed;
    for (const char c : text) hash = mix(hash, static_cast<std::uint8_t>(lower(c)));
    return hash;
  }

 private:
  static constexpr std::size_t kSlots = 8192;
  static constexpr std::size_t kMaxWords = kSlots / 2;

  Dictionary() {
    std::string_view rest = kCommonWords;
    while (!rest.empty() && count_ < kMaxWords) {
      const std::size_t space = std::min(rest.find(' '), rest.size());
      const std::string_view text = rest.substr(0, space);
      rest.remove_prefix(std::min(space + 1, rest.size()));
      // Zipf: the n-th word is n times as rare as the first.
      words_[count_++] = {text, std::log(static_cast<float>(count_) * 8.0F)};
      const auto number = static_cast<std::uint16_t>(count_);
      put(exact_, hash(text), number);
      if (text.size() >= kMinMixed) put(mixed_, shuffle_key(text), number);
    }
  }

  using Slots = std::array<std::uint16_t, kSlots>;  // number of a word, from 1; 0 is free
  static void put(Slots& slots, std::uint32_t key, std::uint16_t number) {
    std::size_t slot = key % kSlots;
    while (slots[slot] != 0) slot = (slot + 1) % kSlots;
    slots[slot] = number;
  }

  std::size_t count_ = 0;
  std::array<Word, kMaxWords> words_{};
  Slots exact_{};
  Slots mixed_{};
};

void put(char c, std::size_t at, Shadow& out) {
  out.text.push_back(c);
  out.origin.push_back({static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(at + 1)});
}

std::size_t end_of_letters(std::string_view text, std::size_t at) {
  while (at < text.size() && is_letter(text[at])) ++at;
  return at;
}

// Small or capital throughout, as a person writes; not "getUserName" and not base64.
bool is_written(std::string_view run) {
  const auto capitals = static_cast<std::size_t>(std::count_if(run.begin(), run.end(), is_capital));
  return capitals == run.size() || capitals * kLettersToCapital <= run.size();
}

// The cheapest words that `run` is made of; false when it is not made of words.
bool find_words(std::string_view run, RespellBuffers& buffers) {
  const Dictionary& dictionary = Dictionary::get();
  std::fill_n(buffers.cost.begin(), run.size() + 1, INFINITY);
  buffers.cost[0] = 0;
  for (std::size_t at = 0; at < run.size(); ++at) {
    const auto offer = [&](std::size_t size, float cost) {
      if (buffers.cost[at] + cost >= buffers.cost[at + size]) return;
      buffers.cost[at + size] = buffers.cost[at] + cost;
      buffers.size[at + size] = static_cast<std::uint8_t>(size);
    };
    offer(1, kUnknownLetter);
    std::uint32_t hash = kSeed;
    for (std::size_t size = 1; size <= kMaxWord && at + size <= run.size(); ++size) {
      hash = mix(hash, static_cast<std::uint8_t>(lower(run[at + size - 1])));
      if (const auto* word = dictionary.find(hash, run.substr(at, size))) offer(size, word->cost);
    }
  }
  std::size_t words = 0;
  std::size_t letters = 0;
  for (std::size_t end = run.size(); end > 0; end -= buffers.size[end]) {
    const std::size_t size = buffers.size[end];
    const std::string_view text = run.substr(end - size, size);
    if (dictionary.find(Dictionary::hash(text), text) == nullptr) continue;
    ++words;
    letters += size;
  }
  return words >= kMinJoinedWords && letters * 100 >= run.size() * kKnownShare &&
         letters >= words * kMinMeanWord;
}

// Writes `run`, which stands at `at` of the text, with spaces where find_words() saw words end.
void put_words(std::string_view run, std::size_t at, const RespellBuffers& buffers, Shadow& out) {
  std::array<bool, kMaxJoinedRun + 1> ends{};
  for (std::size_t end = run.size(); end > 0; end -= buffers.size[end]) ends[end] = true;
  for (std::size_t i = 0; i < run.size(); ++i) {
    if (i > 0 && ends[i]) put(' ', at + i, out);
    put(run[i], at + i, out);
  }
}

// Looks at every kMinJoinedLetters-th byte: a run that long holds one of them.
bool has_long_run(std::string_view text) {
  for (std::size_t at = kMinJoinedLetters - 1; at < text.size(); at += kMinJoinedLetters) {
    if (!is_letter(text[at])) continue;
    std::size_t begin = at;
    while (begin > 0 && is_letter(text[begin - 1]) && at - begin < kMinJoinedLetters) --begin;
    if (end_of_letters(text.substr(0, std::min(text.size(), begin + kMinJoinedLetters)), at) -
            begin >=
        kMinJoinedLetters)
      return true;
  }
  return false;
}

bool split_joined(std::string_view text, RespellBuffers& buffers, Shadow& out) {
  out.clear();
  bool found = false;
  std::size_t left = kMaxJoinedBytes;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = end_of_letters(text.substr(0, at + kMaxJoinedRun), at);
    if (end == at) {
      put(text[at], at, out);
      ++at;
      continue;
    }
    const std::string_view run = text.substr(at, end - at);
    const bool looks = run.size() >= kMinJoinedLetters && run.size() <= left && is_written(run);
    if (looks) left -= run.size();
    if (looks && find_words(run, buffers)) {
      put_words(run, at, buffers, out);
      found = true;
    } else {
      for (std::size_t i = at; i < end; ++i) put(text[i], i, out);
    }
    at = end;
  }
  return found;
}

// Calls use(begin, end) for each word.
template <typename Use>
void each_word(std::string_view text, Use use) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = end_of_letters(text, at);
    if (end > at) use(at, end);
    at = end > at ? end : at + 1;
  }
}

bool is_worth_a_look(std::size_t size) { return size >= kMinMixed && size <= kMaxWord; }

// Of the longer words a quarter are no words, but would be in another order.
bool is_shuffled(std::string_view text) {
  const Dictionary& dictionary = Dictionary::get();
  std::size_t words = 0;
  std::size_t shuffled = 0;
  each_word(text, [&](std::size_t begin, std::size_t end) {
    if (!is_worth_a_look(end - begin)) return;
    ++words;
    shuffled += dictionary.shuffled(text.substr(begin, end - begin)) != nullptr ? 1 : 0;
  });
  return shuffled >= kMinShuffledWords && shuffled * 4 >= words;
}

void unshuffle(std::string_view text, Shadow& out) {
  out.clear();
  std::size_t done = 0;
  const auto copy_to = [&](std::size_t end) {
    for (; done < end; ++done) put(text[done], done, out);
  };
  each_word(text, [&](std::size_t begin, std::size_t end) {
    copy_to(begin);
    if (!is_worth_a_look(end - begin)) return;
    const std::string_view word = text.substr(begin, end - begin);
    const auto* const known = Dictionary::get().shuffled(word);
    if (known == nullptr) return;
    const bool shouts = is_capital(word[1]);
    for (; done < end; ++done) {
      const char c = known->text[done - begin];
      const bool capital = shouts || (done == begin && is_capital(word.front()));
      put(capital ? static_cast<char>(c - 32) : c, done, out);
    }
  });
  copy_to(text.size());
}

}  // namespace

bool respell(std::string_view text, RespellBuffers& buffers, Shadow& out) {
  if (has_long_run(text) && split_joined(text, buffers, out)) return true;
  if (!is_shuffled(text)) return false;
  unshuffle(text, out);
  return true;
}

}  // namespace aispm::detect
