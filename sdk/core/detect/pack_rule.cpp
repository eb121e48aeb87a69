// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/pack_rule.hpp"

#include <algorithm>

#include "sdk/core/detect/mention.hpp"
#include "sdk/core/detect/pack.hpp"
#include "sdk/core/detect/pattern.hpp"
#include "sdk/core/detect/signal.hpp"
#include "sdk/core/detect/validate.hpp"

namespace aispm::detect {
namespace {

constexpr std::size_t kMaxExampleBytes = 16'384;
constexpr std::int64_t kMaxMatchBytes = 16'384;
constexpr std::size_t kMaxTags = 16;
constexpr std::int64_t kMaxTogether = 80;  // more makes automata of unreasonable size
constexpr std::size_t kMaxWordBytes = 64;
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

std::optional<Surface> read_surface(const YamlMap& map, const std::string& key,
                                    const std::string& name) {
  const auto surface = parse_surface(name);
  if (!surface) map.reject(key, "`" + name + "`: allowed is one of " + surface_words());
  return surface;
}

// by_surface: {tool_result: {severity: high, confidence: 0.9}}
void read_grades(const YamlMap& map, Rule& rule) {
  const YamlMap grades = map.map("by_surface");
  for (const std::string& name : grades.keys()) {
    const auto surface = read_surface(grades, name, name);
    const YamlMap entry = grades.map(name);
    if (!surface) continue;
    SurfaceGrade& grade = rule.by_surface[static_cast<std::size_t>(*surface)];
    if (!rule.applies_to(*surface)) grades.reject(name, "`surfaces` does not name it");
    if (entry.has("severity"))
      grade.severity = model::parse_severity(entry.choice("severity", "medium", kSeverities));
    if (entry.has("confidence")) grade.confidence = entry.number("confidence", 0.5, 0, 1);
    if (!grade.severity && !grade.confidence)
      grades.reject(name, "needs `severity`, `confidence` or both");
  }
}

// support: [tool_result, email_or_web]
SurfaceBits read_support(const YamlMap& map, const Rule& rule) {
  if (!map.has("support")) return 0;
  SurfaceBits bits = 0;
  for (const std::string& name : map.texts("support")) {
    const auto surface = read_surface(map, "support", name);
    if (!surface) continue;
    if (!rule.applies_to(*surface)) map.reject("support", "`surfaces` does not name " + name);
    bits = static_cast<SurfaceBits>(bits | surface_bit(*surface));
  }
  if (is_data(rule.category))
    map.reject("support", "is for rules about wording, not for secret and pii");
  return bits;
}

// A word that names something: letters, digits, `_`, `-` and `.`.
bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= kMaxWordBytes &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-' || c == '.';
         });
}

std::string read_word(const YamlMap& map, const std::string& key, const std::string& fallback) {
  std::string word = map.text(key, fallback);
  if (map.has(key) && !is_word(word))
    map.reject(key, "allowed is a-z, A-Z, 0-9, `_`, `-` and `.`, at most 64 characters");
  return word;
}

std::vector<std::string> read_tags(const YamlMap& map) {
  std::vector<std::string> tags = map.texts("tags");
  if (tags.size() > kMaxTags) map.reject("tags", "more than " + std::to_string(kMaxTags));
  for (const std::string& tag : tags) {
    const auto colon = tag.find(':');
    if (colon == std::string::npos || !is_word(tag.substr(0, colon)) ||
        !is_word(tag.substr(colon + 1)))
      map.reject("tags", "`" + tag + "`: a tag is `framework:id`, e.g. owasp-llm:LLM01");
  }
  return tags;
}

// "pii.credit_card" -> "CREDIT_CARD"
std::string entity_of(std::string_view id) {
  std::string entity(id.substr(id.rfind('.') + 1));
  for (char& c : entity) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return entity;
}

std::vector<Validator> read_validators(const YamlMap& map) {
  std::vector<Validator> validators;
  for (const std::string& name : map.texts("validators")) {
    if (const auto validator = parse_validator(name))
      validators.push_back(*validator);
    else
      map.reject("validators", "`" + name + "`: allowed is " + validator_words() +
                                   ", each also with a trailing `?`");
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

std::vector<std::string> read_words(const YamlMap& map, const std::string& key) {
  constexpr std::size_t kMaxWords = 64;
  std::vector<std::string> words = map.texts(key);
  if (words.size() > kMaxWords) map.reject(key, "more than " + std::to_string(kMaxWords));
  for (std::string& word : words) {
    if (word.empty() || word.size() > kMaxWordBytes)
      map.reject(key, "a word has 1 to " + std::to_string(kMaxWordBytes) + " bytes");
    for (char& c : word) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  return words;
}

// context: {words: [ssn, social security], without: [order], within: 60, required: true}, or
// context: {mentions: false}
Context read_context(const YamlMap& map) {
  Context context;
  if (!map.has("context")) return context;
  const YamlMap entry = map.map("context");
  context.words = read_words(entry, "words");
  context.without = read_words(entry, "without");
  context.mentions = entry.flag("mentions", true);
  const std::int64_t usual = context.mentions ? 60 : static_cast<std::int64_t>(kMentionBytes);
  context.within = static_cast<std::size_t>(
      entry.integer("within", usual, {1, static_cast<std::int64_t>(Context::kMaxWithin)}));
  context.required = entry.flag("required", true);
  if (context.empty()) map.reject("context", "needs `words`, `without` or `mentions: false`");
  if (!context.mentions && !context.required)
    map.reject("context", "`mentions: false` cannot be had with `required: false`");
  return context;
}

Category read_category(const YamlMap& map, Category fallback) {
  if (!map.has("category")) return fallback;
  const std::string name = map.text("category", "");
  const auto category = parse_category(name);
  if (!category) map.reject("category", "`" + name + "`: allowed is one of " + category_words());
  return category.value_or(fallback);
}

// What the rule is called and what its matches mean.
void read_meaning(const YamlMap& map, Category category, Rule& rule) {
  rule.where = map.where();
  rule.id = map.required_text("id");
  rule.category = read_category(map, category);
  if (!is_rule_id(rule.id)) map.reject("id", "allowed is a-z, 0-9, _ and ., at most 64 characters");
  const std::string severity = map.choice("severity", "medium", kSeverities);
  rule.severity = model::parse_severity(severity).value_or(model::Severity::kMedium);
  rule.confidence = map.number("confidence", 0.5, 0, 1);
  rule.surfaces = read_surfaces(map);
  read_grades(map, rule);
  rule.supported = read_support(map, rule);
  rule.tags = read_tags(map);
  rule.family = read_word(map, "family", "");
  rule.label = read_word(map, "label", "");
  if (rule.category == Category::kCustom && rule.label.empty())
    map.reject("label", "rules of category custom need a `label`: the name of their class");
  rule.entity = read_word(map, "entity", entity_of(rule.id));
  rule.message = map.required_text("message");
  rule.version = map.text("version", "1");
}

std::string one_of(const std::vector<std::string>& patterns) {
  std::string all = "(?:";
  for (std::size_t i = 0; i < patterns.size(); ++i) all += (i > 0 ? "|" : "") + patterns[i];
  return all + ")";
}

// together: {first: [send, post], second: [password, token], within: 40, any_order: true}
// Whole words of both lists with at most `within` bytes between them, as patterns like any other.
void read_together(const YamlMap& map, Rule& rule) {
  if (!map.has("together")) return;
  const YamlMap entry = map.map("together");
  const std::vector<std::string> first = entry.texts("first");
  const std::vector<std::string> second = entry.texts("second");
  const std::int64_t within = entry.integer("within", 40, {1, kMaxTogether});
  if (first.empty() || second.empty())
    return map.reject("together", "needs both `first` and `second`");
  for (const auto* list : {&first, &second})
    for (const std::string& pattern : *list) check_pattern(map, "together", pattern, rule.caseless);
  const std::string gap =
      within < 2 ? R"(\W)" : R"(\W(?:[\x01-\x7f]{0,)" + std::to_string(within - 2) + R"(}\W)?)";
  const auto add = [&](const std::string& pattern) {
    check_pattern(map, "together", pattern, rule.caseless);
    rule.patterns.push_back(pattern);
  };
  add(one_of(first) + gap + one_of(second));
  if (entry.flag("any_order", true)) add(one_of(second) + gap + one_of(first));
}

// Where the rule matches.
void read_matching(const YamlMap& map, Rule& rule) {
  rule.caseless = map.flag("caseless", false);
  rule.signal = map.text("signal", "");
  if (!rule.signal.empty() && !parse_signal(rule.signal))
    map.reject("signal", "`" + rule.signal + "`: allowed is one of " + signal_words());
  rule.patterns = map.texts("patterns");
  read_together(map, rule);
  if (rule.patterns.empty() == rule.signal.empty())
    map.reject("", "`patterns` needs at least one pattern, or `together` or `signal` in its place");
  if (map.choice("reads", "text", {"text", "letters"}) == "letters") rule.reads = Reads::kLetters;
  if (rule.reads == Reads::kLetters && is_data(rule.category))
    map.reject("reads", "`letters` is for rules about wording, not for secret and pii");
  for (const std::string& pattern : rule.patterns)
    check_pattern(map, "patterns", pattern, rule.caseless);
  rule.triggers = map.texts("triggers");
  for (const std::string& trigger : rule.triggers)
    check_pattern(map, "triggers", trigger, rule.caseless);
  rule.not_after = read_class(map, "not_after");
  rule.not_before = read_class(map, "not_before");
  rule.allow = map.texts("allow");
  for (const std::string& pattern : rule.allow) check_pattern(map, "allow", pattern, rule.caseless);
  rule.keep = map.text("keep", "");
  if (!rule.keep.empty()) check_pattern(map, "keep", rule.keep, rule.caseless);
  rule.max_bytes = static_cast<std::size_t>(map.integer("max_bytes", 512, {1, kMaxMatchBytes}));
  rule.validators = read_validators(map);
  rule.context = read_context(map);
}

Mask read_mask(const YamlMap& map, const Rule& rule) {
  const std::string fallback = rule.category == Category::kSecret ? "edges"
                               : rule.category == Category::kPii  ? "last"
                               : rule.category == Category::kCustom || !rule.signal.empty()
                                   ? "all"
                                   : "text";
  const std::string mask = map.choice("mask", fallback, kMasks);
  if (mask == "text" && is_data(rule.category))
    map.reject("mask", "rules of category secret and pii may not show matched text");
  return static_cast<Mask>(std::find(kMasks.begin(), kMasks.end(), mask) - kMasks.begin());
}

}  // namespace

SurfaceBits read_surfaces(const YamlMap& map) {
  if (!map.has("surfaces")) return kAllSurfaces;
  SurfaceBits bits = 0;
  for (const std::string& name : map.texts("surfaces"))
    if (const auto surface = read_surface(map, "surfaces", name))
      bits = static_cast<SurfaceBits>(bits | surface_bit(*surface));
  if (bits == 0) map.reject("surfaces", "must name at least one surface");
  return bits;
}

Rule read_rule(const YamlMap& map, Category category) {
  Rule rule;
  read_meaning(map, category, rule);
  read_matching(map, rule);
  rule.mask = read_mask(map, rule);
  rule.hits = read_examples(map, "hits");
  rule.misses = read_examples(map, "misses");
  return rule;
}

void read_thresholds(const YamlMap& root, Category category, RuleSet& rules) {
  const YamlMap map = root.map("thresholds");
  for (const std::string& name : map.keys())
    if (const auto surface = read_surface(map, name, name))
      rules.thresholds[static_cast<std::size_t>(category)][static_cast<std::size_t>(*surface)] =
          map.number(name, 1, 0, 1);
}

}  // namespace aispm::detect
