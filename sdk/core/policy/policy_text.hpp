// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sdk/core/common/time.hpp"
#include "sdk/core/common/yaml.hpp"
#include "sdk/core/policy/glob.hpp"

// Texts of policy files, all bounded. Errors go to the map.
namespace aispm::policy {

inline constexpr std::size_t kMaxPolicyText = 512;   // bytes
inline constexpr std::size_t kMaxPolicyList = 1000;  // entries

std::string read_text(const YamlMap& map, const std::string& key, const std::string& fallback = "");
// Must be there and not be empty.
std::string read_name(const YamlMap& map, const std::string& key);
// One text or a list of them; absent: empty.
std::vector<std::string> read_text_list(const YamlMap& map, const std::string& key);
std::vector<Glob> read_glob_list(const YamlMap& map, const std::string& key);
// "2027-01-21T00:00:00Z"; absent: nothing.
std::optional<WallTime> read_time(const YamlMap& map, const std::string& key);

}  // namespace aispm::policy
