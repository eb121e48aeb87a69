// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "sdk/core/model/event.hpp"
#include "sensor/classify/signatures.hpp"

// How much an unsanctioned use of AI worries (SEN-011). Pure.
namespace aispm::sensor {

// 0..1 by how much was sent: below 4 KiB, 32 KiB, 128 KiB, and more.
double sensitivity_of(std::uint64_t sent_bytes);

struct Risk {
  int score = 0;  // 0..100
  model::Severity level = model::Severity::kLow;
};

// 100 * (0.4 sensitivity + 0.4 compliance + 0.2 provider); critical from 70, high from 50, medium
// from 30.
Risk judge_risk(std::uint64_t sent_bytes, const ProviderRisk& provider);

}  // namespace aispm::sensor
