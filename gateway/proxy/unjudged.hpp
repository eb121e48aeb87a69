// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "sdk/core/model/event.hpp"

namespace aispm::gateway {

// What stands in the record of something that passed though it could not be judged (`fail: open`).
inline model::Detection passed_unjudged(std::string_view what, const std::string& why) {
  model::Detection detection;
  detection.rule_id = "aispm.unjudged";
  detection.category = "custom";
  detection.severity = model::Severity::kMedium;
  detection.confidence = 1;
  detection.surface = "policy";
  detection.message = std::string(what) + " passed without being judged (fail: open): " + why;
  return detection;
}

}  // namespace aispm::gateway
