// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "aispm/v1/event.pb.h"

namespace aispm::policy {

// What a candidate's detect.yaml makes of one recorded exchange, as far as records tell.
struct DetectSaid {
  std::vector<v1::Detection> kept;   // of what was recorded
  std::vector<std::string> lost;     // rules whose matches would be no detection any more
  std::vector<v1::Detection> found;  // by its own rules in the texts that were kept
  std::string unknown;               // what cannot be known of this exchange; empty: nothing
};
// The event carries an LlmCall. Made by detect::judge_recorded_by(); detection is another library.
using JudgeDetections = std::function<DetectSaid(const v1::Event&)>;

}  // namespace aispm::policy
