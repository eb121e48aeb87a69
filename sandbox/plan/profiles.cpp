// SPDX-License-Identifier: Apache-2.0
#include "sandbox/plan/profiles.hpp"

#include <algorithm>

#include "sdk/core/common/file.hpp"

namespace aispm::sandbox {
namespace {

constexpr std::size_t kMaxFileBytes = 1U << 20;
constexpr int kMaxBases = 8;

const BuiltInProfile* find_built_in(std::string_view name) {
  for (const auto& profile : built_in_profiles())
    if (profile.name == name) return &profile;
  return nullptr;
}

bool matches(std::string_view program, std::string_view pattern) {
  return pattern.starts_with('*') ? program.ends_with(pattern.substr(1)) : program == pattern;
}

Result<Profile> load(const std::string& word, const std::string& folder, int bases) {
  if (const auto* built_in = find_built_in(word)) return built_in->make();
  if (word.find_first_of("/.") == std::string::npos) {
    std::string names;
    for (const auto& profile : built_in_profiles())
      names += (names.empty() ? "" : ", ") + std::string(profile.name);
    return fail(Errc::kNotFound, "profile '" + word + "' is unknown. There are " + names +
                                     "; a file is named by a path, e.g. ./" + word + ".yaml");
  }
  if (bases >= kMaxBases)
    return fail(Errc::kInvalid, "profile " + word + ": more than " + std::to_string(kMaxBases) +
                                    " profiles extend each other");
  const std::string path = word.starts_with('/') || folder.empty() ? word : folder + "/" + word;
  AISPM_TRY(const std::string content, read_file(path, kMaxFileBytes));
  const auto slash = path.rfind('/');
  const std::string own_folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  AISPM_TRY(Profile profile, parse_profile(content, path, [&](const std::string& base) {
              return load(base, own_folder, bases + 1);
            }));
  profile.files.push_back(path);
  return profile;
}

}  // namespace

Result<Profile> load_profile(const std::string& name_or_path) { return load(name_or_path, "", 0); }

Profile profile_for(std::string_view program) {
  for (const auto& profile : built_in_profiles())
    if (std::any_of(profile.programs.begin(), profile.programs.end(),
                    [&](std::string_view pattern) { return matches(program, pattern); }))
      return profile.make();
  return find_built_in("default")->make();
}

}  // namespace aispm::sandbox
