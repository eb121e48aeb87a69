// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/classifier_lexicon.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "sdk/core/detect/classifier_letters.hpp"

namespace aispm::detect {
namespace {

static_assert(static_cast<std::size_t>(Concept::kCount) <= 64, "pairs are numbered by 64");

// Words to meanings. Open addressing, built once.
class Lexicon {
 public:
  static const Lexicon& get() {
    static const Lexicon lexicon;
    return lexicon;
  }
  Concept word(std::uint32_t hash) const { return find(mix(hash, 1)); }
  Concept prefix(std::uint32_t hash) const { return find(mix(hash, 2)); }
  std::string_view name(Concept meaning) const { return names_[static_cast<std::size_t>(meaning)]; }

 private:
  static constexpr std::size_t kSlots = 8192;
  struct Slot {
    std::uint32_t hash = 0;
    Concept meaning = Concept::kNone;
  };

  Lexicon() {
    for (const LexiconEntry& entry : kLexicon) {
      names_[static_cast<std::size_t>(entry.meaning)] = entry.name;
      std::string_view words = entry.words;
      while (!words.empty()) {
        const std::size_t space = std::min(words.find(' '), words.size());
        insert(words.substr(0, space), entry.meaning);
        words.remove_prefix(std::min(space + 1, words.size()));
      }
    }
    using C = Concept;
    constexpr std::pair<C, std::string_view> kShapes[] = {{C::kSentence, "start of a sentence"},
                                                          {C::kUrl, "web address"},
                                                          {C::kMail, "e-mail address"},
                                                          {C::kPath, "sensitive path"},
                                                          {C::kTurn, "turn of a dialogue"},
                                                          {C::kMarkup, "markup of a chat template"},
                                                          {C::kRule, "dividing line"},
                                                          {C::kComment, "hidden comment"},
                                                          {C::kImage, "image link"},
                                                          {C::kSlot, "placeholder"},
                                                          {C::kCode, "code"},
                                                          {C::kNumber, "number"},
                                                          {C::kShout, "exclamation"},
                                                          {C::kQuestion, "question mark"},
                                                          {C::kQuote, "quotation"}};
    for (const auto& [meaning, name] : kShapes) names_[static_cast<std::size_t>(meaning)] = name;
  }

  void insert(std::string_view word, Concept meaning) {
    const bool is_prefix = !word.empty() && word.back() == '*';
    if (is_prefix) word.remove_suffix(1);
    std::uint32_t hash = kHashSeed;
    for (std::size_t at = 0; at < word.size();) {
      const Folded folded = fold(word, at);
      at += folded.size;
      for (std::uint32_t i = 0; i < folded.count; ++i)
        if (is_word_letter(folded.letters[i])) hash = mix(hash, folded.letters[i]);
    }
    hash = mix(hash, is_prefix ? 2 : 1);
    for (std::size_t slot = hash % kSlots;; slot = (slot + 1) % kSlots) {
      if (slots_[slot].meaning != Concept::kNone && slots_[slot].hash != hash) continue;
      // The first entry of a word holds.
      if (slots_[slot].meaning == Concept::kNone) slots_[slot] = {hash, meaning};
      return;
    }
  }

  Concept find(std::uint32_t hash) const {
    for (std::size_t slot = hash % kSlots;; slot = (slot + 1) % kSlots) {
      if (slots_[slot].meaning == Concept::kNone) return Concept::kNone;
      if (slots_[slot].hash == hash) return slots_[slot].meaning;
    }
  }

  std::array<Slot, kSlots> slots_{};
  std::array<std::string_view, static_cast<std::size_t>(Concept::kCount)> names_{};
};

}  // namespace

Concept meaning_of_word(std::uint32_t hash) { return Lexicon::get().word(hash); }
Concept meaning_of_prefix(std::uint32_t hash) { return Lexicon::get().prefix(hash); }
std::string_view name_of(Concept meaning) { return Lexicon::get().name(meaning); }

}  // namespace aispm::detect
