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
//   if (verdict.fires) ...
//
// Input is UTF-8 as a person reads it: undo escapes and encodings first and give each decoded view
// to a call of its own; never give what is still encoded. Letters are folded here one by one
// (normalise_code_point), so the raw text and its normalised form score nearly the same; give the
// normalised one where intra-word breaks or leet were undone. Any bytes are allowed.
// Cost: about 20 ns a byte on one core, no allocation, no locks; a text beyond kMaxClassifiedBytes
// is judged by its first and its last half of that.
namespace aispm::detect {

inline constexpr std::size_t kMaxClassifiedBytes = 256U << 10;
inline constexpr std::size_t kTopFeatures = 5;

// One reason for a score.
struct ClassifierFeature {
  // A named signal ("asks to drop earlier instructions"), or empty: then it is the words at
  // [begin, end) of the text that spoke.
  std::string_view name;
  std::size_t begin = 0;  // bytes in the text
  std::size_t end = 0;
  std::int32_t weight = 0;  // share of the score, same unit as ClassifierVerdict::score
};

struct ClassifierVerdict {
  bool fires = false;      // score reached the threshold of the surface
  double confidence = 0;   // 0..1, 0.5 at the threshold; for fusion with rules
  std::int32_t score = 0;  // log odds in 1/256, after the correction for the number of windows
  std::size_t begin = 0;   // the window that scored highest, bytes in the text
  std::size_t end = 0;
  std::uint8_t feature_count = 0;
  std::array<ClassifierFeature, kTopFeatures> features;  // that spoke for it, strongest first
};

// Working memory of one thread, about 100 KB, allocated once. Movable, not copyable.
class ClassifierScratch {
 public:
  ClassifierScratch();
  ClassifierScratch(ClassifierScratch&&) noexcept;
  ClassifierScratch& operator=(ClassifierScratch&&) noexcept;
  ~ClassifierScratch();

  struct State;
  State& state() { return *state_; }

 private:
  std::unique_ptr<State> state_;
};

// Pure and without errors; any thread, with a scratch of its own. A text without words scores 0 and
// does not fire.
ClassifierVerdict classify(std::string_view text, Surface surface, ClassifierScratch& scratch);

// SHA-256 (hex) of the weights in use and how they came to be, for health and records.
std::string_view classifier_version();

}  // namespace aispm::detect
