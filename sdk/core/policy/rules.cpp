// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/rules.hpp"

#include <algorithm>
#include <unordered_set>

#include "sdk/core/common/yaml.hpp"
#include "sdk/core/model/detection_names.hpp"

namespace aispm::policy {
namespace {

constexpr std::size_t kMaxText = 512;
const std::vector<std::string> kModes = {"off", "monitor", "enforce"};  // order of enum Mode
const std::vector<std::string> kCategories = [] {
  std::vector<std::string> names = {""};
  names.insert(names.end(), model::kCategoryNames.begin(), model::kCategoryNames.end());
  return names;
}();
const std::vector<std::string> kSeverities = {"", "info", "low", "medium", "high", "critical"};
const std::vector<std::string> kDirections = {"", "request", "reply"};
constexpr auto& kSurfaces = model::kSurfaceNames;

Mode read_mode(const YamlMap& map, Mode fallback) {
  const std::string name = map.choice("mode", std::string(name_of(fallback)), kModes);
  const auto index = std::find(kModes.begin(), kModes.end(), name) - kModes.begin();
  return static_cast<Mode>(index);
}

std::string read_text(const YamlMap& map, const std::string& key, const std::string& fallback) {
  std::string text = map.text(key, fallback);
  if (text.size() > kMaxText) map.reject(key, "longer than " + std::to_string(kMaxText) + " bytes");
  return text;
}

Glob read_glob(const YamlMap& map, const std::string& key) {
  std::string text = read_text(map, key, "*");
  if (text.empty()) map.reject(key, "must not be empty; `*` means any");
  return Glob(std::move(text));
}

std::vector<Glob> read_globs(const YamlMap& map, const std::string& key) {
  std::vector<Glob> globs;
  for (std::string& text : map.texts(key)) {
    if (text.empty() || text.size() > kMaxText)
      map.reject(key, "must be 1 to 512 bytes; `*` means any");
    globs.emplace_back(std::move(text));
  }
  if (map.has(key) && globs.empty())
    map.reject(key, "must not be empty; leave it out to allow all");
  return globs;
}

model::Outcome read_outcome(const YamlMap& map) {
  const std::string name = map.required_text("outcome");
  const auto outcome = model::parse_outcome(name);
  if (!outcome) {
    if (!name.empty())
      map.reject("outcome", "`" + name + "`: allowed is one of allow, deny, redact");
    return model::Outcome::kDeny;
  }
  if (*outcome != model::Outcome::kAllow && *outcome != model::Outcome::kDeny &&
      *outcome != model::Outcome::kRedact)
    map.reject(
        "outcome",
        "`" + name +
            "` is not supported until approvals exist; allowed is one of allow, deny, redact");
  return *outcome;
}

void read_match(const YamlMap& map, PolicyRule& rule) {
  rule.category = map.choice("category", "", kCategories);
  rule.rule_id = read_glob(map, "rule_id");
  const std::string severity = map.choice("severity", "", kSeverities);
  rule.severity = model::parse_severity(severity).value_or(model::Severity::kUnspecified);
  rule.confidence = map.number("confidence", 0, 0, 1);
  const std::string direction = map.choice("direction", "", kDirections);
  if (!direction.empty())
    rule.direction = direction == "reply" ? Direction::kReply : Direction::kRequest;
  rule.surfaces = map.texts("surfaces");
  if (map.has("surfaces") && rule.surfaces.empty())
    map.reject("surfaces", "must name at least one surface");
  for (const std::string& name : rule.surfaces)
    if (std::find(kSurfaces.begin(), kSurfaces.end(), name) == kSurfaces.end())
      map.reject("surfaces",
                 "`" + name +
                     "`: allowed is one of prompt, system, tool_result, tool_arguments, "
                     "tool_description, reply, memory_write, retrieved_document, email_or_web");
  rule.agent = read_glob(map, "agent");
  rule.provider = read_glob(map, "provider");
  rule.model = read_glob(map, "model");
}

void read_rules(const YamlMap& root, Rules& rules) {
  std::unordered_set<std::string> ids;
  for (const YamlMap& entry : root.maps("rules")) {
    if (rules.rules.size() >= kMaxPolicyRules)
      return entry.reject("", "more than " + std::to_string(kMaxPolicyRules) + " rules");
    PolicyRule rule;
    rule.id = entry.required_text("id");
    if (rule.id.empty() || rule.id.size() > kMaxText) entry.reject("id", "must be 1 to 512 bytes");
    if (!ids.insert(rule.id).second) entry.reject("id", "`" + rule.id + "` stands twice");
    read_match(entry.map("match"), rule);
    rule.outcome = read_outcome(entry);
    rule.mode = read_mode(entry, rules.mode);
    rule.reason = read_text(entry, "reason", "");
    rules.rules.push_back(std::move(rule));
  }
}

void read_access(const YamlMap& root, Rules& rules) {
  for (const YamlMap& entry : root.maps("access")) {
    if (rules.access.size() >= kMaxPolicyRules)
      return entry.reject("", "more than " + std::to_string(kMaxPolicyRules) + " entries");
    Access access;
    access.id = "access[" + std::to_string(rules.access.size()) + "]";
    access.agent = read_glob(entry, "agent");
    access.models = read_globs(entry, "models");
    access.providers = read_globs(entry, "providers");
    rules.access.push_back(std::move(access));
  }
}

}  // namespace

bool PolicyRule::matches(const Context& context, const Fact& fact) const {
  if (!category.empty() && category != fact.category) return false;
  if (fact.severity < severity || fact.confidence < confidence) return false;
  if (!surfaces.empty() &&
      std::find(surfaces.begin(), surfaces.end(), fact.surface) == surfaces.end())
    return false;
  return rule_id.matches(fact.rule_id) && agent.matches(context.agent) &&
         provider.matches(context.provider) && model.matches(context.model);
}

Result<Rules> parse_rules(const std::string& content, const std::string& name) {
  AISPM_TRY(const YamlMap root, YamlMap::parse(content, name));
  Rules rules;
  const YamlMap defaults = root.map("defaults");
  rules.mode = read_mode(defaults, Mode::kEnforce);
  rules.store_text = defaults.flag("store_text", false);
  rules.fail_closed = defaults.choice("fail", "closed", {"closed", "open"}) == "closed";
  rules.waits_for_opinions = defaults.choice("opinions", "wait", {"wait", "record"}) == "wait";
  rules.uses_placeholders =
      defaults.choice("redaction", "label", {"label", "placeholder"}) == "placeholder";
  rules.keeps_vault = defaults.flag("vault", false);
  if (rules.keeps_vault && !rules.uses_placeholders)
    defaults.reject("vault", "needs `redaction: placeholder`");
  read_access(root, rules);
  if (!root.has("rules"))
    root.reject("", "`rules` is missing (an empty list allows and records everything)");
  read_rules(root, rules);
  AISPM_CHECK(root.finish());
  return rules;
}

}  // namespace aispm::policy
