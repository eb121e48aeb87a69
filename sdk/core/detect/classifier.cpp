// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/classifier.hpp"

#include <algorithm>
#include <cmath>

#include "detect/classifier_weights.inc"
#include "sdk/core/detect/classifier_features.hpp"
#include "sdk/core/detect/code_text.hpp"

namespace aispm::detect {
namespace {

// Thresholds and part of the weights depend on it. Order as in the weights.
enum class Kind : std::uint8_t { kPrompt, kFetched, kDescription, kArguments, kReply };
constexpr std::size_t kKinds = 5;

Kind kind_of(Surface surface) {
  switch (surface) {
    case Surface::kPrompt:
    case Surface::kSystem:
      return Kind::kPrompt;
    case Surface::kToolDescription:
      return Kind::kDescription;
    case Surface::kToolArguments:
      return Kind::kArguments;
    case Surface::kReply:
      return Kind::kReply;
    default:
      return Kind::kFetched;
  }
}

// A meaning on one kind of surface is a feature of its own besides the meaning anywhere.
constexpr std::array<std::uint32_t, kKinds> kSurfaceSalts = {0x9e3779b9, 0x85ebca6b, 0xc2b2ae35,
                                                             0x27d4eb2f, 0x165667b1};

// classifier_weights.bin, little-endian 32-bit words: bias, correction (per log of the number of
// windows), five thresholds of kSuspect, five of kSure, then the table: an open-addressed map from
// 24 bits of a feature's hash to a weight of 8 bits; 0 is a free slot.
constexpr std::size_t kSlots = 8192;
constexpr std::size_t kBias = 0;
constexpr std::size_t kCorrection = 1;
constexpr std::size_t kSuspect = 2;
constexpr std::size_t kSure = kSuspect + kKinds;
constexpr std::size_t kTable = kSure + kKinds;
static_assert(std::size(kClassifierWeights) == kTable + kSlots, "weights of another version");
constexpr double kScale = 32;  // score of one unit of log odds

std::int32_t parameter(std::size_t index) {
  return static_cast<std::int32_t>(kClassifierWeights[index]);
}

constexpr std::int32_t kNoWords = -30 * 32;  // less than any text with words
constexpr std::size_t kNoSlot = SIZE_MAX;

std::size_t slot_of(std::uint32_t hash) {
  for (std::size_t slot = hash % kSlots;; slot = (slot + 1) % kSlots) {
    const std::uint32_t entry = kClassifierWeights[kTable + slot];
    if (entry == 0) return kNoSlot;
    if (entry >> 8 == hash >> 8) return slot;
  }
}

std::int32_t weight_at(std::size_t slot) {
  return static_cast<std::int8_t>(kClassifierWeights[kTable + slot] & 0xff);
}

bool is_crossed(FeatureKind kind) {
  return kind == FeatureKind::kMeaning || kind == FeatureKind::kMeaningPair;
}

// Calls use(slot) for each feature that has a weight, with repeats.
template <typename Use>
void each_slot(const Feature& feature, Kind kind, Use use) {
  if (const std::size_t slot = slot_of(feature.hash); slot != kNoSlot) use(slot);
  if (!is_crossed(feature.kind)) return;
  const std::uint32_t crossed = feature.hash ^ kSurfaceSalts[static_cast<std::size_t>(kind)];
  if (const std::size_t slot = slot_of(crossed); slot != kNoSlot) use(slot);
}

struct Best {
  std::int32_t score = INT32_MIN;
  std::size_t begin = 0;
  std::size_t end = 0;
  std::uint32_t windows = 0;
};

}  // namespace

struct ClassifierScratch::State {
  FeatureBlock block;
  // Number of the last block in which the feature of a slot was seen; numbers are never used again.
  std::array<std::uint32_t, kSlots> seen{};
  std::uint32_t number = 2;
};

ClassifierScratch::ClassifierScratch() : state_(std::make_unique<State>()) {}
ClassifierScratch::ClassifierScratch(ClassifierScratch&&) noexcept = default;
ClassifierScratch& ClassifierScratch::operator=(ClassifierScratch&&) noexcept = default;
ClassifierScratch::~ClassifierScratch() = default;

namespace {

// Scores every window of `text`: two neighbouring blocks, each feature counted once.
template <typename State>
Best best_window(std::string_view text, Kind kind, State& own) {
  if (own.number > UINT32_MAX - kMaxClassifiedBytes) {
    own.seen.fill(0);
    own.number = 2;
  }
  Best best;
  FeatureReader reader(text);
  std::int32_t last_sum = 0;
  std::size_t last_begin = 0;
  own.number += 2;  // no block is the neighbour of another text's
  for (std::uint32_t blocks = 0; reader.next(own.block); ++blocks, ++own.number) {
    std::int32_t sum = 0;
    std::int32_t shared = 0;
    for (std::size_t i = 0; i < own.block.count; ++i)
      each_slot(own.block.features[i], kind, [&](std::size_t slot) {
        if (own.seen[slot] == own.number) return;
        const std::int32_t weight = weight_at(slot);
        sum += weight;
        if (own.seen[slot] + 1 == own.number) shared += weight;
        own.seen[slot] = own.number;
      });
    const bool first = blocks == 0;
    // The first block alone is a window only when it stays alone.
    const std::int32_t score = first ? sum : last_sum + sum - shared;
    if (blocks <= 1 || score > best.score)
      best = {score, first ? own.block.begin : last_begin, own.block.end, 0};
    best.windows = std::max(1U, blocks);
    last_sum = sum;
    last_begin = own.block.begin;
  }
  return best;
}

// The strongest features of the window. Reads the text again up to its end, so that every feature
// is the same as when it was scored.
template <typename State>
void explain(std::string_view text, Kind kind, State& own, ClassifierVerdict& verdict) {
  FeatureReader reader(text);
  own.number += 2;
  while (reader.next(own.block) && own.block.begin < verdict.end) {
    if (own.block.begin < verdict.begin) continue;
    for (std::size_t i = 0; i < own.block.count; ++i) {
      const Feature& feature = own.block.features[i];
      each_slot(feature, kind, [&](std::size_t slot) {
        const std::int32_t weight = weight_at(slot);
        if (own.seen[slot] == own.number || weight <= 0) return;
        own.seen[slot] = own.number;
        auto* const end = verdict.features.begin() + verdict.feature_count;
        auto* const place = std::find_if(verdict.features.begin(), end,
                                         [&](const auto& one) { return one.weight < weight; });
        if (place == verdict.features.end()) return;
        if (verdict.feature_count < kTopFeatures) ++verdict.feature_count;
        std::move_backward(place, verdict.features.begin() + verdict.feature_count - 1,
                           verdict.features.begin() + verdict.feature_count);
        *place = {{}, 0, feature.begin, feature.end, weight};
        for (const Concept meaning : feature.meanings)
          if (meaning != Concept::kNone) place->meanings[place->meaning_count++] = name_of(meaning);
      });
    }
  }
}

template <typename State>
ClassifierVerdict judge(std::string_view text, Kind kind, State& own) {
  ClassifierVerdict verdict;
  verdict.score = kNoWords;
  const Best best = best_window(text, kind, own);
  if (best.windows == 0) return verdict;
  const auto correction = std::lround(parameter(kCorrection) * std::log(best.windows));
  verdict.score = best.score + parameter(kBias) - static_cast<std::int32_t>(correction);
  verdict.begin = best.begin;
  verdict.end = best.end;
  const auto index = static_cast<std::size_t>(kind);
  const std::int32_t above = verdict.score - parameter(kSuspect + index);
  verdict.confidence = 1 / (1 + std::exp(-above / kScale));
  if (above >= 0) verdict.level = ClassifierLevel::kSuspect;
  if (verdict.score >= parameter(kSure + index)) verdict.level = ClassifierLevel::kSure;
  if (verdict.level != ClassifierLevel::kNone && is_plain_uri(text)) {
    verdict.level = ClassifierLevel::kNone;
    verdict.confidence = std::min(verdict.confidence, kNoSuspicion);
  }
  if (verdict.level != ClassifierLevel::kNone) explain(text, kind, own, verdict);
  return verdict;
}

}  // namespace

ClassifierVerdict classify(std::string_view text, Surface surface, ClassifierScratch& scratch) {
  const Kind kind = kind_of(surface);
  if (text.size() <= kMaxClassifiedBytes) return judge(text, kind, *scratch.state_);
  constexpr std::size_t kHalf = kMaxClassifiedBytes / 2;
  const ClassifierVerdict head = judge(text.substr(0, kHalf), kind, *scratch.state_);
  const std::size_t tail_begin = text.size() - kHalf;
  ClassifierVerdict tail = judge(text.substr(tail_begin), kind, *scratch.state_);
  if (tail.score <= head.score) return head;
  tail.begin += tail_begin;
  tail.end += tail_begin;
  for (std::size_t i = 0; i < tail.feature_count; ++i) {
    tail.features[i].begin += tail_begin;
    tail.features[i].end += tail_begin;
  }
  return tail;
}

std::string_view classifier_version() { return kClassifierVersion; }

}  // namespace aispm::detect
