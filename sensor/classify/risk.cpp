// SPDX-License-Identifier: Apache-2.0
#include "sensor/classify/risk.hpp"

#include <cmath>

namespace aispm::sensor {

double sensitivity_of(std::uint64_t sent_bytes) {
  if (sent_bytes < 4U << 10) return 0.1;
  if (sent_bytes < 32U << 10) return 0.4;
  return sent_bytes < 128U << 10 ? 0.7 : 1.0;
}

Risk judge_risk(std::uint64_t sent_bytes, const ProviderRisk& provider) {
  constexpr double kSensitivity = 0.4;
  constexpr double kCompliance = 0.4;
  constexpr double kProvider = 0.2;
  const double sum = kSensitivity * sensitivity_of(sent_bytes) + kCompliance * provider.compliance +
                     kProvider * provider.provider;
  Risk risk;
  risk.score = static_cast<int>(std::lround(100 * sum));
  if (risk.score >= 70)
    risk.level = model::Severity::kCritical;
  else if (risk.score >= 50)
    risk.level = model::Severity::kHigh;
  else if (risk.score >= 30)
    risk.level = model::Severity::kMedium;
  return risk;
}

}  // namespace aispm::sensor
