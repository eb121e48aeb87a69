// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/pack.hpp"

#include <algorithm>
#include <filesystem>
#include <unordered_set>

#include "sdk/core/common/crypto.hpp"
#include "sdk/core/common/file.hpp"
#include "sdk/core/common/yaml.hpp"
#include "sdk/core/detect/pack_rule.hpp"

namespace aispm::detect {
void read_pack(const YamlMap& root, RuleSet& rules) {
  (void)root.required_text("pack");
  const std::string category_name = root.required_text("category");
  const auto known = parse_category(category_name);
  if (!known && !category_name.empty())
    root.reject("category", "`" + category_name + "`: allowed is one of " + category_words());
  const Category category = known.value_or(Category::kSecret);
  read_thresholds(root, category, rules);
  std::unordered_set<std::string> ids;
  for (const Rule& rule : rules.rules) ids.insert(rule.id);
  for (const YamlMap& entry : root.maps("rules")) {
    if (rules.rules.size() >= kMaxRules) {
      entry.reject("", "more than " + std::to_string(kMaxRules) + " rules");
      break;
    }
    Rule rule = read_rule(entry, category);
    if (!ids.insert(rule.id).second) entry.reject("id", "`" + rule.id + "` stands twice");
    rules.rules.push_back(std::move(rule));
  }
}

Result<> parse_pack(const std::string& content, const std::string& name, RuleSet& rules) {
  AISPM_TRY(const YamlMap root, YamlMap::parse(content, name));
  read_pack(root, rules);
  return root.finish();
}

Result<RuleSet> parse_rules(const std::string& content, const std::string& name) {
  RuleSet rules;
  AISPM_CHECK(parse_pack(content, name, rules));
  rules.version = sha256_hex(content);
  return rules;
}

Result<RuleSet> load_packs(const std::string& folder) {
  std::vector<std::filesystem::path> paths;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error))
    if (entry.path().extension() == ".yaml") paths.push_back(entry.path());
  if (error) return fail(Errc::kNotFound, folder + ": " + error.message(), error.value());
  if (paths.empty()) return fail(Errc::kNotFound, folder + ": holds no *.yaml rule pack");
  if (paths.size() > kMaxPacks)
    return fail(Errc::kTooLarge, folder + ": more than " + std::to_string(kMaxPacks) + " packs");
  std::sort(paths.begin(), paths.end());
  RuleSet rules;
  std::string hashes;
  for (const auto& path : paths) {
    AISPM_TRY(const std::string content, read_file(path.string(), YamlMap::kMaxFileBytes));
    AISPM_CHECK(parse_pack(content, path.string(), rules));
    hashes += path.filename().string() + " " + sha256_hex(content) + "\n";
  }
  if (rules.rules.empty()) return fail(Errc::kInvalid, folder + ": no rule in any pack");
  rules.version = sha256_hex(hashes);
  return rules;
}

}  // namespace aispm::detect
