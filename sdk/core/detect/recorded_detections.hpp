// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sdk/core/common/result.hpp"
#include "sdk/core/policy/bundle.hpp"
#include "sdk/core/policy/detect_said.hpp"

// A candidate's detect.yaml against recorded exchanges: of what was found, rule, surface and
// confidence stand there, of what was not found nothing, and texts only where policy keeps them.
namespace aispm::detect {

// Errors name file and line. What it gives may be called by any thread.
Result<policy::JudgeDetections> judge_recorded_by(const policy::DetectPart& part);

}  // namespace aispm::detect
