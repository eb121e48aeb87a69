// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/pack.hpp"

#include <algorithm>
#include <filesystem>
#include <unordered_set>

#include "sdk/core/common/crypto.hpp"
#include "sdk/core/common/file.hpp"
#include "sdk/core/common/yaml.hpp"
#include "sdk/core/detect/pattern.hpp"
#include "sdk/core/detect/validate.hpp"

namespace aispm::detect {
namespace {

constexpr std::size_t kMaxExampleBytes = 16'384;
constexpr std::int64_t kMaxMatchBytes = 16'384;
const std::vector<std::string> kCategories = {"prompt_injection", "secret", "pii"};
const std::vector<std::string> kSeverities = {"info", "low", "medium", "high", "critical"};
const std::vector<std::string> kMasks = {"text", "edges", "last", "all"};  // order of enum Mask

bool is_rule_id(std::string_view id) {
  return !id.empty() && id.size() <= 64 && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
  });
}

// Takes out the `{+}` marks that keep examples from looking like live keys.
std::string unmark(std::string text) {
  for (auto at = text.find("{+}"); at != std::string::npos; at = text.find("{+}", at))
    text.erase(at, 3);
  return text;
}

std::vector<std::string> read_examples(const YamlMap& map, const std::string& key) {
  std::vector<std::string> examples = map.texts(key);
  if (examples.empty())
    map.reject(map.has(key) ? key : "", "`" + key + "` needs at least one text");
  for (std::string& example : examples) {
    example = unmark(std::move(example));
    if (example.size() > kMaxExampleBytes) map.reject(key, "an example is too long");
  }
  return examples;
}

std::uint8_t read_surfaces(const YamlMap& map) {
  if (!map.has("surfaces")) return 0xff;
  std::uint8_t bits = 0;
  for (const std::string& name : map.texts("surfaces")) {
    const auto surface = parse_surface(name);
    if (!surface) {
      map.reject("surfaces",
                 "`" + name +
                     "`: allowed is one of prompt, system, tool_result, tool_arguments, "
                     "tool_description, reply");
      continue;
    }
    bits = static_cast<std::uint8_t>(bits | (1U << static_cast<unsigned>(*surface)));
  }
  if (bits == 0) map.reject("surfaces", "must name at least one surface");
  return bits;
}

std::vector<Validator> read_validators(const YamlMap& map) {
  std::vector<Validator> validators;
  for (const std::string& name : map.texts("validators")) {
    if (const auto validator = parse_validator(name))
      validators.push_back(*validator);
    else
      map.reject("validators",
                 "`" + name +
                     "`: allowed is luhn, iban, ssn, entropy>=N, github_checksum, aws_key_id, "
                     "not_placeholder, mixed, each also with a trailing `?`");
  }
  return validators;
}

void check_pattern(const YamlMap& map, const std::string& key, const std::string& pattern,
                   bool caseless) {
  if (pattern.size() > kMaxPatternBytes) {
    map.reject(key, "longer than " + std::to_string(kMaxPatternBytes) + " bytes");
  } else if (const auto parsed = parse_pattern(pattern, caseless); !parsed) {
    map.reject(key, "`" + pattern + "`: " + parsed.error().message);
  }
}

std::string read_class(const YamlMap& map, const std::string& key) {
  std::string text = map.text(key, "");
  if (text.empty()) return text;
  if (const auto parsed = parse_class(text); !parsed)
    map.reject(key, "`" + text + "`: " + parsed.error().message);
  return text;
}

Rule read_rule(const YamlMap& map, Category category) {
  Rule rule;
  rule.where = map.where();
  rule.id = map.required_text("id");
  rule.category = category;
  if (!is_rule_id(rule.id)) map.reject("id", "allowed is a-z, 0-9, _ and ., at most 64 characters");
  const std::string severity = map.choice("severity", "medium", kSeverities);
  rule.severity = model::parse_severity(severity).value_or(model::Severity::kMedium);
  rule.confidence = map.number("confidence", 0.5, 0, 1);
  rule.surfaces = read_surfaces(map);
  rule.caseless = map.flag("caseless", false);
  rule.patterns = map.texts("patterns");
  if (rule.patterns.empty()) map.reject("", "`patterns` needs at least one pattern");
  for (const std::string& pattern : rule.patterns)
    check_pattern(map, "patterns", pattern, rule.caseless);
  rule.triggers = map.texts("triggers");
  for (const std::string& trigger : rule.triggers)
    check_pattern(map, "triggers", trigger, rule.caseless);
  rule.not_after = read_class(map, "not_after");
  rule.not_before = read_class(map, "not_before");
  rule.keep = map.text("keep", "");
  if (!rule.keep.empty()) check_pattern(map, "keep", rule.keep, rule.caseless);
  rule.max_bytes = static_cast<std::size_t>(map.integer("max_bytes", 512, {1, kMaxMatchBytes}));
  rule.validators = read_validators(map);
  const std::string fallback = category == Category::kPromptInjection ? "text"
                               : category == Category::kPii           ? "last"
                                                                      : "edges";
  const std::string mask = map.choice("mask", fallback, kMasks);
  if (mask == "text" && category != Category::kPromptInjection)
    map.reject("mask", "only rules of category prompt_injection may show matched text");
  const auto mask_index = std::find(kMasks.begin(), kMasks.end(), mask) - kMasks.begin();
  rule.mask = static_cast<Mask>(mask_index);
  rule.message = map.required_text("message");
  rule.version = map.text("version", "1");
  rule.hits = read_examples(map, "hits");
  rule.misses = read_examples(map, "misses");
  return rule;
}

}  // namespace

Result<> parse_pack(const std::string& content, const std::string& name, RuleSet& rules) {
  AISPM_TRY(const YamlMap root, YamlMap::parse(content, name));
  (void)root.required_text("pack");
  const std::string category_name = root.has("category")
                                        ? root.choice("category", "secret", kCategories)
                                        : root.required_text("category");
  const Category category = parse_category(category_name).value_or(Category::kSecret);
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
