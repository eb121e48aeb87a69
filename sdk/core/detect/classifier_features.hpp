// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sdk/core/detect/classifier_lexicon.hpp"

// What the classifier sees of a text: its words, their meanings, and the order of meanings, in
// blocks of about half a window. Training reads the very same blocks (tests/eval/feature_dump.cpp),
// so there is no second implementation to differ from.
namespace aispm::detect {

inline constexpr std::size_t kBlockCharacters = 100;
// A block that is full ends there; its text goes on in the next one.
inline constexpr std::size_t kMaxBlockFeatures = 512;

// What a feature is made of: how it is explained, and how training treats it.
enum class FeatureKind : std::uint8_t { kWord, kMeaning, kMeaningPair, kMeaningTriple, kShape };

struct Feature {
  std::uint32_t hash = 0;
  FeatureKind kind = FeatureKind::kWord;
  std::array<Concept, 3> meanings{};  // of kMeaning*, in their order
  std::uint32_t begin = 0;            // bytes in the text
  std::uint32_t end = 0;
};

struct FeatureBlock {
  std::uint32_t begin = 0;  // bytes in the text
  std::uint32_t end = 0;
  std::uint32_t words = 0;  // of two letters or more
  std::size_t count = 0;
  std::array<Feature, kMaxBlockFeatures> features;
};

// Reads a text block by block. What is still encoded (a long run of letters and digits) is passed
// over, and so are letters that stand alone: they are no words. Allocates nothing; any bytes; not
// thread-safe. `text` must stay and be shorter than 4 GiB.
class FeatureReader {
 public:
  explicit FeatureReader(std::string_view text);
  // Replaces `block`; false at the end of the text. Blocks without words are passed over.
  bool next(FeatureBlock& block);

 private:
  struct Token {
    Concept meaning = Concept::kNone;
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
    std::uint32_t place = 0;  // number of the word in the text
  };
  static constexpr std::size_t kRemembered = 3;

  void take(FeatureBlock& block, Concept meaning, std::uint32_t begin, std::uint32_t end);
  bool skip_encoded();
  void take_meaning(FeatureBlock& block, const Token& token);
  void add(FeatureBlock& block, FeatureKind kind, std::uint32_t hash, std::uint32_t begin,
           std::uint32_t end, std::array<Concept, 3> meanings = {});
  void read_word(FeatureBlock& block);
  void read_mark(FeatureBlock& block, std::uint32_t mark);
  void read_link(FeatureBlock& block, bool is_tag);
  bool starts(std::string_view mark) const;

  std::string_view text_;
  std::size_t at_ = 0;
  bool line_start_ = true;
  bool sentence_start_ = true;
  std::uint32_t places_ = 0;
  Token last_;                               // the word before
  std::array<Token, kRemembered> meanings_;  // the latest first
  std::uint32_t last_ideograph_ = 0;
  std::uint32_t last_ideograph_end_ = 0;
};

}  // namespace aispm::detect
