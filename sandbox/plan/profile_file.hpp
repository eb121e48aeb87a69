// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "sandbox/model/plan.hpp"
#include "sdk/core/common/result.hpp"

namespace aispm::sandbox {

// Reads a sandbox profile (see policies/sandbox/default.yaml, which equals Profile{}). Keys left
// out keep their defaults; unknown keys and values out of range are errors of the form `file:line:
// what is wrong, what is allowed`.
Result<Profile> parse_profile(const std::string& content, const std::string& name);
Result<Profile> load_profile(const std::string& path);

// Sizes ("512MiB") and durations ("30s") of the command line, with the same grammar and bounds as
// in a profile.
Result<> set_limit(Limits& limits, const std::string& key, const std::string& value);

}  // namespace aispm::sandbox
