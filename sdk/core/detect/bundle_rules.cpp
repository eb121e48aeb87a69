// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/bundle_rules.hpp"

#include "sdk/core/common/crypto.hpp"
#include "sdk/core/detect/engine.hpp"
#include "sdk/core/detect/pack.hpp"
#include "sdk/core/detect/pack_rule.hpp"
#include "sdk/core/policy/glob.hpp"

namespace aispm::detect {
namespace {

// An entry of `thresholds:`; either a category or a glob over rules' ids.
struct Threshold {
  std::optional<Category> category;
  policy::Glob rule;
  SurfaceBits surfaces = kAllSurfaces;
  std::optional<double> alone;
  std::optional<double> together;
};

Threshold read_threshold(const YamlMap& map) {
  Threshold threshold;
  threshold.surfaces = read_surfaces(map);
  if (map.has("category") == map.has("rule")) map.reject("", "needs either `category` or `rule`");
  if (map.has("category")) {
    const std::string name = map.text("category", "");
    threshold.category = parse_category(name);
    if (!threshold.category)
      map.reject("category", "`" + name + "`: allowed is one of " + category_words());
  } else {
    threshold.rule = policy::Glob(map.text("rule", ""));
  }
  if (map.has("alone")) threshold.alone = map.number("alone", kStandsAlone, 0, 1);
  if (map.has("together")) threshold.together = map.number("together", 1, 0, 1);
  if (!threshold.alone && !threshold.together) map.reject("", "needs `alone`, `together` or both");
  if (threshold.together && map.has("rule"))
    map.reject("together", "is about a `category`, not about rules");
  return threshold;
}

// False: there is no rule that it is about.
bool apply(const Threshold& threshold, RuleSet& rules) {
  bool is_about_some = threshold.category.has_value();
  for (std::size_t i = 0; i < kSurfaceCount; ++i) {
    if ((threshold.surfaces & surface_bit(static_cast<Surface>(i))) == 0) continue;
    if (threshold.together)
      rules.thresholds[static_cast<std::size_t>(*threshold.category)][i] = *threshold.together;
    if (!threshold.alone) continue;
    for (Rule& rule : rules.rules) {
      const bool fits = threshold.category ? rule.category == *threshold.category
                                           : threshold.rule.matches(rule.id);
      if (fits) rule.by_surface[i].alone = threshold.alone;
      is_about_some = is_about_some || fits;
    }
  }
  return is_about_some;
}

// `is_whole`: `rules` has all rules there will be.
Result<> read_into(const std::string& content, const std::string& name, bool is_whole,
                   RuleSet& rules) {
  if (content.size() > kMaxBundleRulesBytes)
    return fail(Errc::kTooLarge, name + ": larger than 256 KiB");
  AISPM_TRY(const YamlMap root, YamlMap::parse(content, name));
  const std::size_t shared_rules = rules.rules.size();
  const std::vector<YamlMap> packs = root.maps("packs");
  if (packs.size() > kMaxBundlePacks)
    root.reject("packs", "more than " + std::to_string(kMaxBundlePacks));
  for (const YamlMap& pack : packs) read_pack(pack, rules);
  if (rules.rules.size() - shared_rules > kMaxBundleRules)
    root.reject("packs", "more than " + std::to_string(kMaxBundleRules) + " rules");
  const std::vector<YamlMap> entries = root.maps("thresholds");
  if (entries.size() > kMaxBundleThresholds)
    root.reject("thresholds", "more than " + std::to_string(kMaxBundleThresholds));
  for (const YamlMap& entry : entries) {
    const Threshold threshold = read_threshold(entry);
    if (threshold.together && !threshold.category) continue;  // rejected
    if (!apply(threshold, rules) && is_whole)
      entry.reject("rule", "`" + threshold.rule.text() + "`: there is no such rule");
  }
  AISPM_CHECK(root.finish());
  rules.version = sha256_hex(rules.version + sha256_hex(content));
  return {};
}

}  // namespace

Result<> check_bundle_rules(const std::string& content, const std::string& name) {
  RuleSet rules;
  AISPM_CHECK(read_into(content, name, false, rules));
  if (rules.rules.empty()) return {};
  AISPM_TRY(const std::shared_ptr<const Engine> engine, Engine::compile(std::move(rules)));
  return engine->verify();
}

Result<BundleThresholds> BundleThresholds::parse(const std::string& content,
                                                 const std::string& name) {
  RuleSet own;
  AISPM_CHECK(read_into(content, name, false, own));
  BundleThresholds thresholds;
  if (!own.rules.empty()) {
    AISPM_TRY(thresholds.rules_, Engine::compile(std::move(own)));
  }
  AISPM_TRY(const YamlMap root, YamlMap::parse(content, name));
  for (const YamlMap& map : root.maps("thresholds")) {
    const Threshold one = read_threshold(map);
    thresholds.may_find_weaker_ =
        thresholds.may_find_weaker_ || one.together || (one.alone && *one.alone < kStandsAlone);
    thresholds.entries_.push_back({one.category, one.rule, one.surfaces, one.alone, one.together});
  }
  return thresholds;
}

std::optional<double> BundleThresholds::alone(std::string_view rule_id, Category category,
                                              Surface surface) const {
  for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry) {
    const bool fits =
        (entry->surfaces & surface_bit(surface)) != 0 &&
        (entry->category ? *entry->category == category : entry->rule.matches(rule_id));
    if (fits && entry->alone) return entry->alone;
  }
  return std::nullopt;
}

std::optional<double> BundleThresholds::together(Category category, Surface surface) const {
  for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry)
    if ((entry->surfaces & surface_bit(surface)) != 0 && entry->category == category &&
        entry->together)
      return entry->together;
  return std::nullopt;
}

Result<> add_bundle_rules(const std::string& content, const std::string& name, RuleSet& rules) {
  return read_into(content, name, true, rules);
}

}  // namespace aispm::detect
