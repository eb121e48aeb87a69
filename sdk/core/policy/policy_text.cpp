// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/policy_text.hpp"

namespace aispm::policy {

std::string read_text(const YamlMap& map, const std::string& key, const std::string& fallback) {
  std::string text = map.text(key, fallback);
  if (text.size() > kMaxPolicyText)
    map.reject(key, "longer than " + std::to_string(kMaxPolicyText) + " bytes");
  return text;
}

std::string read_name(const YamlMap& map, const std::string& key) {
  std::string name = map.required_text(key);
  if (name.empty() || name.size() > kMaxPolicyText)
    map.reject(key, "must be 1 to " + std::to_string(kMaxPolicyText) + " bytes");
  return name;
}

std::vector<std::string> read_text_list(const YamlMap& map, const std::string& key) {
  if (!map.has(key)) return {};
  std::vector<std::string> texts =
      map.is_list(key) ? map.texts(key) : std::vector<std::string>{map.text(key, "")};
  if (texts.size() > kMaxPolicyList)
    map.reject(key, "more than " + std::to_string(kMaxPolicyList) + " entries");
  for (const std::string& text : texts)
    if (text.empty() || text.size() > kMaxPolicyText)
      map.reject(key, "entries must be 1 to " + std::to_string(kMaxPolicyText) + " bytes");
  return texts;
}

std::vector<Glob> read_glob_list(const YamlMap& map, const std::string& key) {
  std::vector<Glob> globs;
  for (std::string& text : read_text_list(map, key)) globs.emplace_back(std::move(text));
  return globs;
}

}  // namespace aispm::policy
