// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sensor/capture/probe_plan.hpp"

// What planners said about a file, kept on disk: analysing 360 MB again after a restart would cost
// seconds of CPU.
namespace aispm::sensor {

inline constexpr std::size_t kMaxPlanBytes = 256U << 10;

// Text of plans, under a key that names the file's content and the planners. parse_plans() takes
// any bytes and gives an error unless they are plans under that very key.
std::string format_plans(std::string_view key, const std::vector<ProbePlan>& plans);
Result<std::vector<ProbePlan>> parse_plans(std::string_view text, std::string_view key);

// The same from and to a file of root's own. kNotFound and kInvalid mean: ask the planners.
Result<std::vector<ProbePlan>> load_plans(const std::string& path, std::string_view key);
Result<> save_plans(const std::string& path, std::string_view key,
                    const std::vector<ProbePlan>& plans);

}  // namespace aispm::sensor
