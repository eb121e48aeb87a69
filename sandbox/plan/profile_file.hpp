// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "sandbox/model/plan.hpp"
#include "sdk/core/common/result.hpp"

namespace aispm::sandbox {

// Gives the profile that another one extends, by its name or path.
using FindProfile = std::function<Result<Profile>(const std::string&)>;

// Reads a sandbox profile (see policies/sandbox/default.yaml). What it leaves out is as in the
// profile it extends, else as in "default". Unknown keys, values out of range and bad bases are
// errors of the form `file:line: what is wrong, what is allowed`.
Result<Profile> parse_profile(const std::string& content, const std::string& name,
                              const FindProfile& find);

// Sizes ("512MiB") and durations ("30s") of the command line, with the same grammar and bounds as
// in a profile.
Result<> set_limit(Limits& limits, const std::string& key, const std::string& value);

}  // namespace aispm::sandbox
