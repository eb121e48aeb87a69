// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/pipeline/opinion_texts.hpp"

#include <algorithm>

#include "gateway/proxy/pipeline/surfaces.hpp"

namespace aispm::gateway {
namespace {

constexpr std::size_t kMinBytes = 12;
constexpr std::size_t kMaxTexts = 64;
// Sets these keys apart from those of tier 1.
constexpr std::uint64_t kTag = 0x100;
constexpr double kHighConfidence = 0.8;

bool is_language(const codec::TextPart& part) {
  return !part.is_key && part.surface != codec::Surface::kMedia && part.text.size() >= kMinBytes;
}

class Collector {
 public:
  Collector(OpinionTexts& out, const KnownTexts& known, std::size_t max_bytes)
      : out_(out), known_(known), left_(max_bytes) {}

  void take(const codec::TextPart& part) {
    const detect::Surface surface = surface_of(part);
    const std::uint64_t key = known_.key_of(kTag + static_cast<std::uint64_t>(surface), part.text);
    if (known_.contains(key)) return;
    if (out_.texts.size() + 2 > kMaxTexts || left_ < kMinBytes) {
      out_.skipped_bytes += part.text.size();
      return;
    }
    if (part.text.size() <= left_) {
      left_ -= part.text.size();
      out_.texts.push_back({part.text, surface, key});
      return;
    }
    const std::size_t half = left_ / 2;
    out_.texts.push_back({part.text.substr(0, half), surface, 0});
    out_.texts.push_back({part.text.substr(part.text.size() - half), surface, 0});
    out_.skipped_bytes += part.text.size() - 2 * half;
    left_ = 0;
  }

 private:
  OpinionTexts& out_;
  const KnownTexts& known_;
  std::size_t left_;
};

}  // namespace

OpinionTexts texts_for_opinion(const codec::LlmRequest& request, const KnownTexts& known,
                               std::size_t max_bytes) {
  OpinionTexts out;
  Collector collector(out, known, max_bytes);
  for (const bool message : {true, false})
    for (auto part = request.parts.rbegin(); part != request.parts.rend(); ++part) {
      const bool is_said = part->is_message && part->surface != codec::Surface::kSystem;
      if (is_said == message && is_language(*part)) collector.take(*part);
    }
  return out;
}

model::Detection describe_semantic(const detect::SemanticVerdict& verdict, detect::Surface surface,
                                   std::size_t text_bytes) {
  model::Detection detection;
  detection.rule_id = "classifier.tier2";
  detection.category = detect::name_of(detect::Category::kPromptInjection);
  detection.severity =
      verdict.confidence >= kHighConfidence ? model::Severity::kHigh : model::Severity::kMedium;
  detection.confidence = verdict.confidence;
  detection.surface = detect::name_of(surface);
  const std::size_t end = std::min(verdict.end, text_bytes);
  detection.offset = std::min(verdict.begin, end);
  detection.length = end - detection.offset;
  detection.evidence = "[" + std::to_string(detection.length) + " bytes]";
  detection.message = "Asks for what an attempt to take over the model asks for";
  detection.tags = {"owasp-llm:LLM01"};
  detection.features.push_back("windows: " + std::to_string(verdict.windows));
  if (!verdict.whole) detection.features.emplace_back("judged in part");
  return detection;
}

}  // namespace aispm::gateway
