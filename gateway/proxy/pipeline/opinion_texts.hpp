// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "gateway/proxy/pipeline/known_texts.hpp"
#include "sdk/core/codec/llm.hpp"
#include "sdk/core/detect/semantic.hpp"
#include "sdk/core/model/event.hpp"

// What slower judges than tier 1 are asked about.
namespace aispm::gateway {

struct OpinionText {
  std::string_view text;
  detect::Surface surface = detect::Surface::kPrompt;
  std::uint64_t key = 0;  // in KnownTexts
};

struct OpinionTexts {
  std::vector<OpinionText> texts;   // newest first
  std::uint64_t skipped_bytes = 0;  // that did not fit
};

// The request's messages from the newest back, then what stands around them, up to `max_bytes`:
// what was in an earlier request and found clean (`known`) costs nothing. Of a longer text its two
// ends are taken.
OpinionTexts texts_for_opinion(const codec::LlmRequest& request, const KnownTexts& known,
                               std::size_t max_bytes);

// Tier 2's verdict as a detection, rule "classifier.tier2".
model::Detection describe_semantic(const detect::SemanticVerdict& verdict, detect::Surface surface,
                                   std::size_t text_bytes);

}  // namespace aispm::gateway
