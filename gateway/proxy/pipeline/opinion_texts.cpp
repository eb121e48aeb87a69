// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/pipeline/opinion_texts.hpp"

#include <algorithm>
#include <cmath>

#include "gateway/proxy/pipeline/surfaces.hpp"

namespace aispm::gateway {
namespace {

constexpr std::size_t kMaxTexts = 64;
// Sets these keys apart from those of tier 1.
constexpr std::uint64_t kTag = 0x100;
constexpr double kHighConfidence = 0.8;

bool is_language(const codec::TextPart& part, std::size_t min_bytes) {
  return !part.is_key && part.surface != codec::Surface::kMedia && part.text.size() >= min_bytes;
}

class Collector {
 public:
  Collector(OpinionTexts& out, detect::TextClassifier& tier1, std::size_t max_bytes)
      : out_(out), tier1_(tier1), left_(max_bytes) {}

  void take(std::string_view text, detect::Surface surface, std::uint64_t key,
            const FirstLook& look) {
    if (out_.texts.size() + 3 > kMaxTexts || left_ < kMinOpinionBytes) {
      out_.skipped_bytes += text.size() + look.hidden.size();
      return;
    }
    const std::size_t place = out_.texts.size();
    if (text.size() <= left_) {
      add(text, surface, text.size(), look.score);
      out_.texts[place].key = key;
    } else {
      const std::size_t half = left_ / 2;
      add(text.substr(0, half), surface, text.size(), {});
      add(text.substr(text.size() - half), surface, text.size(), {});
      out_.skipped_bytes += text.size() - 2 * half;
      left_ = 0;
    }
    if (look.hidden.empty() && !look.hidden_dropped) return;
    if (look.hidden_dropped || look.hidden.size() > left_) {
      out_.skipped_bytes += std::max<std::size_t>(1, look.hidden.size());
      out_.texts[place].key = 0;
      return;
    }
    add(look.hidden, surface, text.size(), look.hidden_score);
    out_.texts.back().is_hidden = true;
  }

 private:
  void add(std::string_view text, detect::Surface surface, std::size_t place_bytes,
           std::optional<std::int32_t> score) {
    left_ -= std::min(left_, text.size());
    out_.texts.push_back({.text = text,
                          .surface = surface,
                          .key = 0,
                          .first_score = score ? *score : tier1_.classify(text, surface).score,
                          .is_hidden = false,
                          .place_bytes = place_bytes});
  }

  OpinionTexts& out_;
  detect::TextClassifier& tier1_;
  std::size_t left_;
};

}  // namespace

OpinionTexts texts_for_opinion(const codec::LlmRequest& request, std::span<const FirstLook> looks,
                               detect::TextClassifier& tier1, const KnownTexts& known,
                               std::size_t max_bytes, std::size_t min_bytes) {
  static const FirstLook none;
  OpinionTexts out;
  Collector collector(out, tier1, max_bytes);
  for (const bool message : {true, false})
    for (std::size_t i = request.parts.size(); i-- > 0;) {
      const codec::TextPart& part = request.parts[i];
      const bool is_said = part.is_message && part.surface != codec::Surface::kSystem;
      if (is_said != message || !is_language(part, min_bytes)) continue;
      const detect::Surface surface = surface_of(part);
      const std::uint64_t key = known.key_of(kTag + static_cast<std::uint64_t>(surface), part.text);
      if (!known.contains(key))
        collector.take(part.text, surface, key, i < looks.size() ? looks[i] : none);
    }
  return out;
}

OpinionTexts text_for_opinion(std::string_view text, detect::Surface surface, const FirstLook& look,
                              detect::TextClassifier& tier1, std::size_t max_bytes) {
  OpinionTexts out;
  if (text.size() >= kMinOpinionBytes)
    Collector(out, tier1, max_bytes).take(text, surface, 0, look);
  return out;
}

std::optional<model::Detection> describe_semantic(const detect::SemanticVerdict& verdict,
                                                  const OpinionText& asked) {
  const double joined = verdict.joined(asked.first_score);
  if (verdict.windows == 0 || joined < 0) return {};
  model::Detection detection;
  detection.rule_id = "classifier.tier2";
  detection.category = detect::name_of(detect::Category::kPromptInjection);
  detection.confidence = 1 / (1 + std::exp(-joined));
  detection.severity =
      detection.confidence >= kHighConfidence ? model::Severity::kHigh : model::Severity::kMedium;
  detection.surface = detect::name_of(asked.surface);
  // Of what is hidden it is not known where in the text it stands.
  const std::size_t end =
      asked.is_hidden ? asked.place_bytes : std::min(verdict.end, asked.text.size());
  detection.offset = asked.is_hidden ? 0 : std::min(verdict.begin, end);
  detection.length = end - detection.offset;
  detection.evidence = "[" + std::to_string(detection.length) + " bytes]";
  detection.message = "Asks for what an attempt to take over the model asks for";
  detection.tags = {"owasp-llm:LLM01"};
  detection.features.push_back("windows: " + std::to_string(verdict.windows));
  if (asked.is_hidden) detection.features.emplace_back("in what a disguise hides");
  if (!verdict.whole) detection.features.emplace_back("judged in part");
  return detection;
}

}  // namespace aispm::gateway
