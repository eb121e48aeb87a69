// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/result.hpp"

// How risky one request is, from 0 (harmless) to 1, as a sum of parts that can each be named. Pure
// functions; the numbers stand in a RiskModel and can be set per tenant (policies/risk.yaml).
namespace aispm::policy {

enum class RiskSignal : std::uint8_t {
  kPromptInjection,
  kJailbreak,
  kExfiltration,
  kToolAbuse,
  kObfuscation,
  kIndirectInjection,
  kPrivilegeEscalation,
  kSocialEngineering,
};
inline constexpr std::size_t kRiskSignals = 8;
std::string_view name_of(RiskSignal signal);

// A set of signals.
class RiskSignals {
 public:
  RiskSignals() = default;
  RiskSignals(std::initializer_list<RiskSignal> signals) {
    for (const RiskSignal signal : signals) add(signal);
  }
  void add(RiskSignal signal) { bits_ |= bit(signal); }
  bool has(RiskSignal signal) const { return (bits_ & bit(signal)) != 0; }
  bool empty() const { return bits_ == 0; }
  bool shares(RiskSignals other) const { return (bits_ & other.bits_) != 0; }

 private:
  static std::uint8_t bit(RiskSignal signal) {
    return static_cast<std::uint8_t>(1U << static_cast<unsigned>(signal));
  }
  std::uint8_t bits_ = 0;
};

struct RiskModel {
  double base = 0.05;
  std::array<double, kRiskSignals> weights = {0.70, 0.70, 0.70, 0.70, 0.20, 0.35, 0.45, 0.15};
  double combination = 1.25;  // factor when two signals make an attack together
  std::size_t long_bytes = 2000;
  double long_adds = 0.05;
  std::size_t very_long_bytes = 5000;
  double very_long_adds = 0.10;  // instead of long_adds
  double allow_below = 0.30;     // between the two: a human is asked
  double block_at = 0.70;

  // Strict YAML: `file:line: what is wrong`. Absent keys keep the values above.
  static Result<RiskModel> parse(const std::string& content, const std::string& name);
};

// Risk of the text itself. `bytes`: its length.
double prompt_risk(const RiskModel& model, RiskSignals signals, std::size_t bytes);

// Risk of who asks, at most 0.20: rights that a mistake would put to use.
double identity_risk(std::span<const std::string> roles, std::span<const std::string> scopes);

enum class GuardVerdict : std::uint8_t { kAllow, kFlag, kBlock };
// What a guard model said; `score` 0..1 counts for kFlag only.
double guard_risk(GuardVerdict verdict, double score);

// One retrieved chunk. Scores 0..1.
struct RetrievedChunk {
  double trust = 1;
  double coherence = 1;
  double anomaly = 0;
  bool is_tampered = false;  // its hash is not the one recorded
  bool has_hash = true;
};
// Mean trust less what is wrong with the chunks, 0..1; 1 when nothing was retrieved.
double retrieval_trust(std::span<const RetrievedChunk> chunks);

// 1 less the highest Jaccard similarity of the words of `prompt` to any of `baseline`, stop words
// left out: 0 same, 1 nothing in common. 0 without a baseline.
double intent_drift(std::string_view prompt, std::span<const std::string> baseline);

// Events with signals of one session in the last 120 and 3600 seconds; at most 0.40.
double behaviour_risk(std::size_t in_two_minutes, std::size_t in_an_hour);

struct RiskParts {
  double prompt = 0;
  double behaviour = 0;
  double identity = 0;
  double memory = 0;
  double guard = 0;
  double retrieval_trust = 1;
  double drift = 0;
};
// 0..1.
double fuse(const RiskParts& parts);

enum class RiskTier : std::uint8_t { kLow, kMedium, kHigh, kCritical };
RiskTier tier_of(double risk);
std::string_view name_of(RiskTier tier);

enum class RiskAction : std::uint8_t { kAllow, kEscalate, kBlock };
RiskAction action_of(const RiskModel& model, double risk);

// MITRE ATLAS techniques that these signals together point to, without repeats.
std::vector<std::string_view> atlas_techniques(RiskSignals signals);

}  // namespace aispm::policy
