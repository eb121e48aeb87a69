// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/risk.hpp"

#include <algorithm>
#include <unordered_set>

#include "sdk/core/common/yaml.hpp"

namespace aispm::policy {
namespace {

using S = RiskSignal;

constexpr std::array<std::string_view, kRiskSignals> kNames = {
    "prompt_injection", "jailbreak",          "exfiltration",         "tool_abuse",
    "obfuscation",      "indirect_injection", "privilege_escalation", "social_engineering"};

constexpr std::array<std::pair<S, S>, 5> kCombinations = {{
    {S::kPromptInjection, S::kExfiltration},
    {S::kJailbreak, S::kToolAbuse},
    {S::kObfuscation, S::kPromptInjection},
    {S::kPrivilegeEscalation, S::kExfiltration},
    {S::kIndirectInjection, S::kToolAbuse},
}};

struct Technique {
  S first;
  S second;  // the same twice: one signal is enough
  std::string_view id;
};
constexpr std::array<Technique, 8> kTechniques = {{
    {S::kPromptInjection, S::kExfiltration, "AML.T0051.000"},
    {S::kJailbreak, S::kToolAbuse, "AML.T0054"},
    {S::kObfuscation, S::kPromptInjection, "AML.T0051.001"},
    {S::kIndirectInjection, S::kExfiltration, "AML.T0051.002"},
    {S::kExfiltration, S::kExfiltration, "AML.T0048"},
    {S::kIndirectInjection, S::kIndirectInjection, "AML.T0051.002"},
    {S::kPrivilegeEscalation, S::kPrivilegeEscalation, "AML.T0068"},
    {S::kPromptInjection, S::kToolAbuse, "AML.T0051.003"},
}};

constexpr double kIdentityCap = 0.20;
constexpr double kBehaviourCap = 0.40;

const std::unordered_set<std::string_view> kStopWords = {
    "a",    "an",    "and",    "are",  "as",   "at",    "be",    "by",     "can", "do",   "for",
    "from", "has",   "have",   "how",  "i",    "in",    "is",    "it",     "me",  "my",   "of",
    "on",   "or",    "our",    "so",   "that", "the",   "to",    "was",    "we",  "what", "with",
    "you",  "your",  "please", "this", "will", "would", "could", "should", "not", "but",  "if",
    "then", "there", "their",  "they", "its",  "any",   "all"};

bool has(std::span<const std::string> list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

bool has_prefix(std::span<const std::string> list, std::string_view prefix) {
  return std::any_of(list.begin(), list.end(),
                     [&](const std::string& one) { return one.rfind(prefix, 0) == 0; });
}

// Lower-case words; bytes above ASCII are letters.
std::unordered_set<std::string> words_of(std::string_view text) {
  std::unordered_set<std::string> words;
  std::string word;
  const auto end = [&] {
    if (!word.empty() && !kStopWords.contains(word)) words.insert(word);
    word.clear();
  };
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
                        static_cast<unsigned char>(c) >= 0x80;
    if (letter) {
      word.push_back(c);
    } else if (c >= 'A' && c <= 'Z') {
      word.push_back(static_cast<char>(c | 0x20));
    } else {
      end();
    }
  }
  end();
  return words;
}

double similarity(const std::unordered_set<std::string>& left,
                  const std::unordered_set<std::string>& right) {
  if (left.empty() && right.empty()) return 1;
  const auto common = static_cast<double>(std::count_if(
      left.begin(), left.end(), [&](const std::string& word) { return right.contains(word); }));
  return common / (static_cast<double>(left.size() + right.size()) - common);
}

}  // namespace

std::string_view name_of(RiskSignal signal) { return kNames.at(static_cast<std::size_t>(signal)); }

Result<RiskModel> RiskModel::parse(const std::string& content, const std::string& name) {
  AISPM_TRY(const YamlMap root, YamlMap::parse(content, name));
  RiskModel model;
  model.base = root.number("base", model.base, 0, 1);
  const YamlMap weights = root.map("weights");
  for (std::size_t i = 0; i < kRiskSignals; ++i)
    model.weights.at(i) = weights.number(std::string(kNames.at(i)), model.weights.at(i), 0, 1);
  model.combination = root.number("combination", model.combination, 1, 10);
  const YamlMap thresholds = root.map("thresholds");
  model.allow_below = thresholds.number("allow_below", model.allow_below, 0, 1);
  model.block_at = thresholds.number("block_at", model.block_at, 0, 1);
  if (model.allow_below > model.block_at)
    thresholds.reject("allow_below", "must not be above `block_at`");
  AISPM_CHECK(root.finish());
  return model;
}

double prompt_risk(const RiskModel& model, RiskSignals signals, std::size_t bytes) {
  double risk = model.base;
  for (std::size_t i = 0; i < kRiskSignals; ++i)
    if (signals.has(static_cast<RiskSignal>(i))) risk += model.weights.at(i);
  if (bytes > model.very_long_bytes)
    risk += model.very_long_adds;
  else if (bytes > model.long_bytes)
    risk += model.long_adds;
  const bool combined = std::any_of(
      kCombinations.begin(), kCombinations.end(),
      [&](const auto& pair) { return signals.has(pair.first) && signals.has(pair.second); });
  if (combined) risk *= model.combination;
  return std::min(risk, 1.0);
}

double identity_risk(std::span<const std::string> roles, std::span<const std::string> scopes) {
  double risk = 0.02;
  if (has(roles, "admin") && !has(scopes, "spm:admin")) risk += 0.15;
  if (has(roles, "superuser")) risk += 0.20;
  if (has(scopes, "gmail:send")) risk += 0.08;
  if (has(scopes, "file:write")) risk += 0.06;
  if (has_prefix(scopes, "db:")) risk += 0.10;
  return std::min(risk, kIdentityCap);
}

double guard_risk(GuardVerdict verdict, double score) {
  if (verdict == GuardVerdict::kBlock) return 0.50;
  if (verdict == GuardVerdict::kFlag) return std::min(0.4 * std::clamp(score, 0.0, 1.0), 0.30);
  return 0;
}

double retrieval_trust(std::span<const RetrievedChunk> chunks) {
  if (chunks.empty()) return 1;
  double sum = 0;
  double tampered = 0;
  double incoherent = 0;
  double anomalous = 0;
  double unhashed = 0;
  for (const RetrievedChunk& chunk : chunks) {
    sum += chunk.trust;
    if (chunk.is_tampered) tampered += 0.20;
    if (chunk.coherence < 0.30) incoherent += 0.15;
    if (chunk.anomaly > 0.70) anomalous += 0.10;
    if (!chunk.has_hash) unhashed += 0.05;
  }
  const double wrong = std::min(tampered, 0.60) + std::min(incoherent, 0.45) +
                       std::min(anomalous, 0.30) + std::min(unhashed, 0.20);
  return std::clamp(sum / static_cast<double>(chunks.size()) - wrong, 0.0, 1.0);
}

double intent_drift(std::string_view prompt, std::span<const std::string> baseline) {
  if (baseline.empty()) return 0;
  const auto words = words_of(prompt);
  double nearest = 0;
  for (const std::string& text : baseline)
    nearest = std::max(nearest, similarity(words, words_of(text)));
  return 1 - nearest;
}

double behaviour_risk(std::size_t in_two_minutes, std::size_t in_an_hour) {
  double risk = 0;
  if (in_two_minutes >= 5) risk += 0.20;
  if (in_an_hour >= 15) risk += 0.15;
  return std::min(risk, kBehaviourCap);
}

double fuse(const RiskParts& parts) {
  const double sum = parts.prompt + parts.behaviour + parts.identity + parts.memory + parts.guard +
                     0.5 * (1 - parts.retrieval_trust) + 0.25 * parts.drift;
  return std::clamp(sum, 0.0, 1.0);
}

RiskTier tier_of(double risk) {
  if (risk >= 0.75) return RiskTier::kCritical;
  if (risk >= 0.50) return RiskTier::kHigh;
  return risk >= 0.25 ? RiskTier::kMedium : RiskTier::kLow;
}

std::string_view name_of(RiskTier tier) {
  constexpr std::array<std::string_view, 4> kTiers = {"low", "medium", "high", "critical"};
  return kTiers.at(static_cast<std::size_t>(tier));
}

RiskAction action_of(const RiskModel& model, double risk) {
  if (risk >= model.block_at) return RiskAction::kBlock;
  return risk >= model.allow_below ? RiskAction::kEscalate : RiskAction::kAllow;
}

std::vector<std::string_view> atlas_techniques(RiskSignals signals) {
  std::vector<std::string_view> found;
  for (const Technique& technique : kTechniques) {
    if (!signals.has(technique.first) || !signals.has(technique.second)) continue;
    if (std::find(found.begin(), found.end(), technique.id) == found.end())
      found.push_back(technique.id);
  }
  return found;
}

}  // namespace aispm::policy
