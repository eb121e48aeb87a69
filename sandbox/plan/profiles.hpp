// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "sandbox/plan/profile_file.hpp"

namespace aispm::sandbox {

// A file of policies/sandbox, compiled into the program (compile_profiles.cpp).
struct BuiltInProfile {
  std::string_view name;
  std::span<const std::string_view> programs;
  Profile (*make)();
};
std::span<const BuiltInProfile> built_in_profiles();

// A built-in profile by name, or a file: a word with '/' or '.' in it is a path. kInvalid for a
// wrong file, kNotFound, with the names there are, for an unknown name.
Result<Profile> load_profile(const std::string& name_or_path);

// The built-in profile for a program by its base name ("claude", "agent.js"); "default" for most.
Profile profile_for(std::string_view program);

}  // namespace aispm::sandbox
