// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/detect/classifier.hpp"
#include "sdk/core/detect/engine.hpp"
#include "sdk/core/detect/work_clock.hpp"

// All that looks at one text, in layers, and what they say together.
//
//   AISPM_TRY(Scratch scratch, engine->make_scratch());    // one per thread
//   AISPM_CHECK(inspect(*engine, text, Surface::kToolResult, options, scratch, inspection));
//   fuse(*engine, Surface::kToolResult, inspection, fused);
//   for (const Finding& finding : fused.findings)
//     ... describe(*engine, text, Surface::kToolResult, inspection, finding) ...
namespace aispm::detect {

// In the order in which they run. Each can be switched off; one that is off does not run.
enum class Layer : std::uint8_t {
  kRules,       // patterns and validators over the text and its normalised form
  kDisguise,    // the same over what encodings and broken words hide; tier 1 reads that, too
  kClassifier,  // tier 1
};
inline constexpr std::size_t kLayerCount = 3;
std::string_view name_of(Layer layer);  // "rules", "disguise", "classifier"

struct LayerReport {
  enum class State : std::uint8_t {
    kOff,
    kDone,
    kLate,  // done, but over its budget
    kCut,   // not run, or ended early, because time was up: what it would have found is not known
  };
  State state = State::kOff;
  std::chrono::nanoseconds spent{0};
};

// A classifier with its working memory: one per thread. Also what tests put in its place.
class TextClassifier {
 public:
  virtual ~TextClassifier() = default;
  virtual ClassifierVerdict classify(std::string_view text, Surface surface) = 0;
};

// Tier 1 as shipped.
class Tier1 final : public TextClassifier {
 public:
  ClassifierVerdict classify(std::string_view text, Surface surface) override {
    return detect::classify(text, surface, scratch_);
  }

 private:
  ClassifierScratch scratch_;
};

// What the budget of a layer is for. A longer text has more of it in proportion: time grows with
// the text, and a file of 40 KB is nothing strange.
inline constexpr std::size_t kBudgetBytes = 8U << 10;

struct InspectOptions {
  using Clock = std::chrono::steady_clock;
  // Budgets of DET-046: what one layer may take of kBudgetBytes, and all of them of the whole text.
  std::array<bool, kLayerCount> layers = {true, true, true};
  std::array<std::chrono::microseconds, kLayerCount> budgets = {
      std::chrono::milliseconds(20), std::chrono::milliseconds(15), std::chrono::milliseconds(5)};
  std::chrono::microseconds total = std::chrono::milliseconds(50);
  TextClassifier* classifier = nullptr;    // null: there is none
  bool nothing_matches = false;            // Engine::may_match() said no: rules are not asked
  Clock::time_point (*now)() = &work_now;  // budgets are of work, not of waiting
};

struct Inspection {
  // Longer ones are judged by the classifier, but not kept.
  static constexpr std::size_t kMaxHiddenBytes = 64U << 10;

  std::vector<Match> matches;
  ClassifierVerdict verdict;
  // Of what the disguises of the text hide, what the classifier thinks worst of (suspect or not),
  // as it reads without its disguise: the semantic tier should see it, too. Empty: nothing is
  // hidden.
  std::string hidden;
  std::int32_t hidden_score = 0;  // of tier 1, where `hidden` is not empty
  std::array<LayerReport, kLayerCount> layers;

  const LayerReport& of(Layer layer) const { return layers[static_cast<std::size_t>(layer)]; }
  bool is_complete() const;  // no layer was cut
};

// A match of a rule that needs support (Rule::supported) counts only where tier 1 gives the match
// and what stands around it at least this score, in log odds of 1/32: 0 is where an attack is as
// likely as not. Wording such as "skip validation" stands in manuals, too.
inline constexpr std::int32_t kSupportScore = 0;
inline constexpr std::size_t kSupportBytes = 200;    // before and after the match
inline constexpr std::size_t kMaxSupportAsked = 64;  // matches of one text; more of them count

// Replaces `out`. The rules always run to their end (they are bounded by work, and a text that
// needs more fails closed with kExhausted); the other layers are cut when their budget or the total
// is used up, and say so. No allocation of its own once `out` and `scratch` have grown.
Result<> inspect(const Engine& engine, std::string_view text, Surface surface,
                 const InspectOptions& options, Scratch& scratch, Inspection& out);

// Id of the detection that stands for the classifier's verdict.
inline constexpr std::string_view kClassifierRule = "classifier.tier1";

// 1 - product of (1 - confidence) over the distinct rules of a category that matched, for each
// category. Keeps its memory.
class CategorySums {
 public:
  void add_up(const Engine& engine, Surface surface, const std::vector<Match>& matches);
  double operator[](Category category) const { return sums_[static_cast<std::size_t>(category)]; }

 private:
  std::array<double, kCategoryCount> sums_{};
  std::vector<bool> counted_;  // by rule
};

// A match or the classifier's verdict, to be recorded.
struct Finding {
  const Rule* rule = nullptr;  // null: the classifier's
  Match match;                 // the rule's
  std::uint64_t offset = 0;    // bytes in the text
  // What all rules of the category say together, where that and not the rule alone made it one.
  std::optional<double> together;
};

struct Fused {
  static constexpr std::size_t kMaxFindings = 256;
  std::vector<Finding> findings;  // by offset
  std::uint64_t dropped = 0;      // beyond kMaxFindings
  CategorySums sums;              // working memory
};

// Replaces `out` by the findings of an inspection: matches of rules that stand alone; those of
// weaker ones where all of their category together reach the threshold of the surface (RuleSet);
// and the classifier's. No allocation once `out` has grown.
void fuse(const Engine& engine, Surface surface, const Inspection& inspection, Fused& out);

// The record of a finding; the classifier's has the rule kClassifierRule. `text` and `inspection`
// are those it is from.
model::Detection describe(const Engine& engine, std::string_view text, Surface surface,
                          const Inspection& inspection, const Finding& finding);

// Takes away the matches of weak rules whose category does not reach its threshold: what fuse()
// makes no finding of. `sums` is working memory.
void drop_weak(const Engine& engine, Surface surface, std::vector<Match>& matches,
               CategorySums& sums);

}  // namespace aispm::detect
