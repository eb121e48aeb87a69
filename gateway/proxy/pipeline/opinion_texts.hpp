// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "gateway/proxy/pipeline/first_look.hpp"
#include "gateway/proxy/pipeline/known_texts.hpp"
#include "sdk/core/codec/llm.hpp"
#include "sdk/core/detect/inspect.hpp"
#include "sdk/core/detect/semantic.hpp"
#include "sdk/core/model/event.hpp"

// What slower judges than tier 1 are asked about.
namespace aispm::gateway {

// Shorter texts are names and words: the semantic tier is not asked about them.
inline constexpr std::size_t kMinOpinionBytes = 12;

struct OpinionText {
  std::string_view text;
  detect::Surface surface = detect::Surface::kPrompt;
  std::uint64_t key = 0;         // in KnownTexts; 0: cannot be known
  std::int32_t first_score = 0;  // tier 1's, of this text
  bool is_hidden = false;        // what a disguise hides in a text of `place_bytes`
  std::size_t place_bytes = 0;
};

struct OpinionTexts {
  std::vector<OpinionText> texts;   // newest first; what one hides stands behind it
  std::uint64_t skipped_bytes = 0;  // that did not fit
};

// The request's messages from the newest back, then what stands around them, up to `max_bytes`:
// what was in an earlier request and found clean (`known`) costs nothing. Of a longer text its two
// ends are taken, of one shorter than `min_bytes` nothing. `looks` has one entry per part, or none;
// `tier1` reads what they say nothing of. Views into both.
OpinionTexts texts_for_opinion(const codec::LlmRequest& request, std::span<const FirstLook> looks,
                               detect::TextClassifier& tier1, const KnownTexts& known,
                               std::size_t max_bytes, std::size_t min_bytes = kMinOpinionBytes);

// One text for its own sake, likewise.
OpinionTexts text_for_opinion(std::string_view text, detect::Surface surface, const FirstLook& look,
                              detect::TextClassifier& tier1, std::size_t max_bytes);

// What both tiers say together of a text, as a detection of rule "classifier.tier2"; none where
// that is below their threshold.
std::optional<model::Detection> describe_semantic(const detect::SemanticVerdict& verdict,
                                                  const OpinionText& asked);

}  // namespace aispm::gateway
