// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/trust.hpp"

#include <algorithm>
#include <array>

namespace aispm::policy {
namespace {

constexpr std::array<std::string_view, 5> kLevels = {"untrusted", "basic", "verified", "privileged",
                                                     "system"};
constexpr int kPointsPerLevel = 25;

}  // namespace

std::string_view name_of(TrustLevel level) { return kLevels.at(static_cast<std::size_t>(level)); }

std::optional<TrustLevel> parse_trust_level(std::string_view name) {
  const auto* at = std::find(kLevels.begin(), kLevels.end(), name);
  if (at == kLevels.end()) return std::nullopt;
  return static_cast<TrustLevel>(at - kLevels.begin());
}

Trust evaluate_trust(const TrustFacts& facts) {
  int score = kPointsPerLevel * static_cast<int>(facts.registered);
  if (facts.in_production && !facts.is_attested) score -= 10;
  if (facts.delegation_depth > facts.max_delegation_depth) score -= 25;
  if (facts.hour < 6 || facts.hour > 22) score -= 5;
  if (facts.denials_in_row > 3) score -= 15;
  if (facts.is_attestation_expired) score -= 20;
  score = std::clamp(score, 0, 100);
  return {score, static_cast<TrustLevel>(score / kPointsPerLevel)};
}

}  // namespace aispm::policy
