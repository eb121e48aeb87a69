// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/risk_sequences.hpp"

#include <algorithm>

namespace aispm::policy {

std::vector<std::string_view> sequences_of(RiskSignals signals) {
  std::vector<std::string_view> alone;
  for (std::size_t i = 0; i < kRiskSignals; ++i) {
    const auto one = static_cast<RiskSignal>(i);
    if (!signals.has(one)) continue;
    for (const std::string_view technique : atlas_techniques({one})) alone.push_back(technique);
  }
  std::vector<std::string_view> together = atlas_techniques(signals);
  std::erase_if(together, [&](std::string_view technique) {
    return std::find(alone.begin(), alone.end(), technique) != alone.end();
  });
  return together;
}

}  // namespace aispm::policy
