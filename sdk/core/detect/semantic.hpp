// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sdk/core/common/result.hpp"
#include "sdk/core/detect/rule.hpp"

// Tier 2 of the classifier: what a text asks for, by a small multilingual sentence encoder with a
// trained head. It sees what words alone do not show (other languages, requests without the usual
// wording) and takes milliseconds, so nobody waits for it: callers use SemanticJudge.
//
//   AISPM_TRY(const auto model, SemanticModel::parse(bytes));   // once; immutable, shared by
//   threads SemanticScratch scratch;                                     // one per thread const
//   auto verdict = model->judge(text, Surface::kToolResult, scratch);
//
// The model file (docs/detection.md, ADR 0050) is optional at run time.
namespace aispm::detect {

// A text is judged window by window, the worst one counts. Longer texts are judged by their first
// and last half of this; the verdict says so.
inline constexpr std::size_t kMaxSemanticBytes = 64U << 10;
inline constexpr std::size_t kSemanticWindow = 128;  // tokens, with begin and end mark
inline constexpr std::size_t kSemanticStride = 96;   // tokens
// A window whose tokens with letters are on average shorter than this is in no language that the
// encoder knows: still encoded (base64, ROT13, letters apart), or keys and hashes. To the encoder
// it is noise, so it is passed over; what inspect() found hidden there is a text of its own. With
// fewer such tokens nobody can tell. The reference in policies/train does the same.
inline constexpr double kMinTokenBytes = 2.4;
inline constexpr std::size_t kMinTellingTokens = 8;
inline constexpr std::size_t kMaxSemanticModelBytes = 64U << 20;

struct SemanticVerdict {
  bool fires = false;     // score reached the threshold of the surface
  double confidence = 0;  // 0..1, 0.5 at the threshold; for fusion with rules and tier 1
  double score = 0;       // log odds of the worst window, less the threshold's
  std::size_t begin = 0;  // the worst window, bytes in the text
  std::size_t end = 0;
  std::uint32_t windows = 0;      // judged
  std::uint32_t passed_over = 0;  // not judged: no language
  bool whole = true;              // every byte was in one of them

  // Log odds of both tiers together, 0 at their common threshold: better than either alone. Of what
  // tier 1 said of the same text on the same surface (ClassifierVerdict::score). This tier's own
  // where the model was not joined with tier 1.
  double joined(std::int32_t first_score) const { return joint_rest + joint_first * first_score; }
  double joint_first = 0;  // per unit of tier 1's score
  double joint_rest = 0;   // what this tier adds, less the common threshold
};

// True when the caller no longer wants the verdict; asked before each window.
using StopCheck = std::function<bool()>;

// Working memory of one thread, about 1 MB, grown on first use. Movable, not copyable.
class SemanticScratch {
 public:
  SemanticScratch();
  SemanticScratch(SemanticScratch&&) noexcept;
  SemanticScratch& operator=(SemanticScratch&&) noexcept;
  ~SemanticScratch();

  struct State;
  State& state() { return *state_; }

 private:
  std::unique_ptr<State> state_;
};

class SemanticModel {
 public:
  // Checks every size and number in the file. kInvalid says what is wrong.
  static Result<std::shared_ptr<const SemanticModel>> parse(std::string bytes);
  ~SemanticModel();
  SemanticModel(const SemanticModel&) = delete;
  SemanticModel& operator=(const SemanticModel&) = delete;

  // Nullopt only when `stop` said so. Any bytes are allowed: what is not UTF-8 reads as U+FFFD. Any
  // thread, with a scratch of its own. A text without words, or without language, does not fire.
  std::optional<SemanticVerdict> judge(std::string_view text, Surface surface,
                                       SemanticScratch& scratch, const StopCheck& stop = {}) const;

  const std::string& version() const;  // SHA-256 (hex) of the file
  const std::string& record() const;   // licence, origin and training record, as text

 private:
  struct Parts;
  explicit SemanticModel(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace aispm::detect
