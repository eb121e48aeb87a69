// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "sdk/core/detect/rule.hpp"

// Tier 1 of the classifier: how much a text looks like an attempt to take over the model that reads
// it (injection, jailbreak, extraction of its prompt, exfiltration).
//
//   ClassifierScratch scratch;                                     // one per thread
//   const ClassifierVerdict verdict = classify(text, Surface::kToolResult, scratch);
//   if (verdict.level != ClassifierLevel::kNone) ...
//
// Input is UTF-8 as a person reads it: undo escapes and encodings first and give each decoded view
// to a call of its own; what is still encoded has no words and scores nothing. Letters are folded
// here one by one (normalise_code_point), so the raw text and its normalised form score nearly the
// same. inspect() does all that. Any bytes are allowed.
// Cost: 20 to 40 ns a byte on one core, no allocation, no locks; of a text beyond
// kMaxClassifiedBytes the first and the last half of that are judged.
namespace aispm::detect {

inline constexpr std::size_t kMaxClassifiedBytes = 256U << 10;
inline constexpr std::size_t kTopFeatures = 5;

// One reason for a score.
struct ClassifierFeature {
  // What the words at [begin, end) of the text mean, in order: "override", "earlier",
  // "instructions". None: the words themselves spoke.
  std::array<std::string_view, 3> meanings;
  std::uint8_t meaning_count = 0;
  std::size_t begin = 0;  // bytes in the text
  std::size_t end = 0;
  std::int32_t weight = 0;  // its share of the score
};

enum class ClassifierLevel : std::uint8_t {
  kNone,
  // About 1 % of harmless texts of unseen sources reach this: record, ask, judge again. Fetched
  // code and markup does not (code_text.hpp).
  kSuspect,
  kSure,  // about 0.1 % do
};

struct ClassifierVerdict {
  ClassifierLevel level = ClassifierLevel::kNone;
  double confidence = 0;   // 0..1, 0.5 at the threshold of kSuspect; for fusion with rules
  std::int32_t score = 0;  // log odds in 1/32, after the correction for the number of windows
  std::size_t begin = 0;   // the window that scored highest, bytes in the text
  std::size_t end = 0;
  Trick trick =
      Trick::kNone;  // set by inspect(): the disguise of what was read; spans are of the raw text
  std::uint8_t feature_count = 0;                        // 0 at kNone
  std::array<ClassifierFeature, kTopFeatures> features;  // that spoke for it, strongest first
};

// Working memory of one thread, about 50 KB, allocated once. Movable, not copyable.
class ClassifierScratch {
 public:
  ClassifierScratch();
  ClassifierScratch(ClassifierScratch&&) noexcept;
  ClassifierScratch& operator=(ClassifierScratch&&) noexcept;
  ~ClassifierScratch();

 private:
  friend ClassifierVerdict classify(std::string_view, Surface, ClassifierScratch&);
  struct State;
  std::unique_ptr<State> state_;
};

// Pure and without errors; any thread, with a scratch of its own. A text without words is kNone.
ClassifierVerdict classify(std::string_view text, Surface surface, ClassifierScratch& scratch);

// SHA-256 (hex) of the weights in use, for health and records; how they came to be stands in
// classifier_weights.json.
std::string_view classifier_version();

}  // namespace aispm::detect
