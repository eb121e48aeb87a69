// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/policy/action_rule.hpp"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace aispm::policy {
namespace {

constexpr std::size_t kMaxText = 512;
constexpr std::size_t kMaxList = 1000;
constexpr std::int64_t kRegexMemory = 1 << 20;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

bool contains_word(std::string_view text, const std::string& wanted) {
  return std::search(text.begin(), text.end(), wanted.begin(), wanted.end(),
                     [](char left, char right) { return lower(left) == lower(right); }) !=
         text.end();
}

bool matches_any(const std::vector<Glob>& globs, std::string_view text) {
  return globs.empty() || std::any_of(globs.begin(), globs.end(),
                                      [&](const Glob& glob) { return glob.matches(text); });
}

bool shares_any(const std::vector<std::string>& wanted, std::span<const std::string> have) {
  return std::any_of(wanted.begin(), wanted.end(), [&](const std::string& one) {
    return std::find(have.begin(), have.end(), one) != have.end();
  });
}

std::optional<double> number_of(const Arguments::Value& value) {
  if (const auto* number = std::get_if<double>(&value)) return *number;
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr || text->empty()) return std::nullopt;
  double number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
  return number;
}

bool equal(const Arguments::Value& left, const Arguments::Value& right) {
  if (left == right) return true;
  const auto one = number_of(left);
  const auto other = number_of(right);
  if (one && other) return *one == *other;
  // A truth value may be written as text, as a number may.
  const auto* const flag = std::get_if<bool>(&left) ? &left : &right;
  const auto* const text = std::get_if<std::string>(flag == &left ? &right : &left);
  return text != nullptr && std::holds_alternative<bool>(*flag) &&
         *text == (std::get<bool>(*flag) ? "true" : "false");
}

bool compares(const Arguments::Value& left, ArgumentTest::Compare how,
              const Arguments::Value& right) {
  using Compare = ArgumentTest::Compare;
  if (how == Compare::kEq) return equal(left, right);
  if (how == Compare::kNeq) return !equal(left, right);
  const auto one = number_of(left);
  const auto other = number_of(right);
  if (!one || !other) return false;
  switch (how) {
    case Compare::kGt:
      return *one > *other;
    case Compare::kGte:
      return *one >= *other;
    case Compare::kLt:
      return *one < *other;
    default:
      return *one <= *other;
  }
}

// One text or a list of them; `names`: the same key under other names.
std::vector<std::string> read_texts(const YamlMap& map, std::initializer_list<const char*> names) {
  std::vector<std::string> texts;
  for (const char* name : names) {
    if (!map.has(name)) continue;
    texts = map.is_list(name) ? map.texts(name) : std::vector<std::string>{map.text(name, "")};
    if (texts.empty()) map.reject(name, "must not be empty; leave it out to ask nothing");
    if (texts.size() > kMaxList)
      map.reject(name, "more than " + std::to_string(kMaxList) + " entries");
    for (const std::string& text : texts)
      if (text.empty() || text.size() > kMaxText)
        map.reject(name, "entries must be 1 to " + std::to_string(kMaxText) + " bytes");
  }
  return texts;
}

std::vector<Glob> read_globs(const YamlMap& map, std::initializer_list<const char*> names) {
  std::vector<Glob> globs;
  for (std::string& text : read_texts(map, names)) {
    // A lone `*` asks nothing, and so costs nothing.
    if (text == "*") return {};
    globs.emplace_back(std::move(text));
  }
  return globs;
}

Arguments::Value value_of(const std::string& text) {
  if (text == "true" || text == "false") return text == "true";
  if (const auto number = number_of(text)) return *number;
  return text;
}

void read_argument_tests(const YamlMap& map, std::vector<ArgumentTest>& tests) {
  using Compare = ArgumentTest::Compare;
  static const std::array<std::pair<const char*, Compare>, 6> kCompares = {
      {{"gt", Compare::kGt},
       {"gte", Compare::kGte},
       {"lt", Compare::kLt},
       {"lte", Compare::kLte},
       {"eq", Compare::kEq},
       {"neq", Compare::kNeq}}};
  for (const std::string& path : map.keys()) {
    const YamlMap compares = map.map(path);
    std::size_t read = 0;
    for (const auto& [name, compare] : kCompares) {
      if (!compares.has(name)) continue;
      ArgumentTest test{Glob(path), compare, value_of(compares.text(name, ""))};
      const bool orders = compare != Compare::kEq && compare != Compare::kNeq;
      if (orders && !number_of(test.value)) compares.reject(name, "must be a number");
      tests.push_back(std::move(test));
      ++read;
    }
    if (compares.has("one_of")) {
      ArgumentTest test{Glob(path), Compare::kOneOf, {}};
      for (const std::string& text : read_texts(compares, {"one_of"}))
        test.values.push_back(value_of(text));
      tests.push_back(std::move(test));
      ++read;
    }
    if (read == 0) map.reject(path, "must have one of gt, gte, lt, lte, eq, neq, one_of");
  }
}

void read_conditions(const YamlMap& map, ActionConditions& when) {
  when.contains_any = read_texts(map, {"contains_any"});
  when.not_contains = read_texts(map, {"not_contains"});
  when.data_labels_any = read_texts(map, {"data_labels_any"});
  read_argument_tests(map.map("tool_args_match"), when.arguments);
  when.arguments_only = read_globs(map, {"tool_args_only"});
  const std::string regex = map.text("matches_regex", "");
  if (regex.empty()) return;
  if (regex.size() > kMaxRegexBytes)
    return map.reject("matches_regex", "longer than " + std::to_string(kMaxRegexBytes) + " bytes");
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kRegexMemory);
  auto compiled = std::make_shared<const re2::RE2>(regex, options);
  if (!compiled->ok()) return map.reject("matches_regex", compiled->error());
  when.matches_regex = std::move(compiled);
}

}  // namespace

// Any of several arguments makes a test hold; `neq` asks that none be equal.
bool ArgumentTest::holds(const Arguments* arguments) const {
  const bool wants_none = compare == Compare::kNeq;
  if (arguments == nullptr) return wants_none;
  if (compare == Compare::kOneOf) return holds_all(*arguments);
  const Compare wanted = wants_none ? Compare::kEq : compare;
  const auto meets = [&](const Arguments::Leaf& leaf) {
    return path.matches(leaf.path) && compares(leaf.value, wanted, value);
  };
  return std::any_of(arguments->leaves().begin(), arguments->leaves().end(), meets) != wants_none;
}

bool ArgumentTest::holds_all(const Arguments& arguments) const {
  bool any = false;
  for (const Arguments::Leaf& leaf : arguments.leaves()) {
    if (!path.matches(leaf.path)) continue;
    any = true;
    const auto is_leaf = [&](const Arguments::Value& one) { return equal(leaf.value, one); };
    if (std::none_of(values.begin(), values.end(), is_leaf)) return false;
  }
  return any;
}

bool ActionConditions::hold(const Action& action) const {
  const auto in_text = [&](const std::string& wanted) {
    return contains_word(action.text, wanted);
  };
  if (!contains_any.empty() && std::none_of(contains_any.begin(), contains_any.end(), in_text))
    return false;
  if (std::any_of(not_contains.begin(), not_contains.end(), in_text)) return false;
  if (!data_labels_any.empty() && !shares_any(data_labels_any, action.labels)) return false;
  const auto holds = [&](const ArgumentTest& test) { return test.holds(action.arguments); };
  if (!std::all_of(arguments.begin(), arguments.end(), holds)) return false;
  if (!arguments_only.empty() && action.arguments != nullptr)
    for (const Arguments::Leaf& leaf : action.arguments->leaves())
      if (!matches_any(arguments_only, leaf.path)) return false;
  return matches_regex == nullptr ||
         re2::RE2::PartialMatch(re2::StringPiece(action.text.data(), action.text.size()),
                                *matches_regex);
}

bool ActionRule::fits(const Action& action) const {
  return action.trust >= trust_min && matches_any(environments, action.environment) &&
         matches_any(tools, action.tool) && matches_any(agents, action.agent) &&
         matches_any(agent_types, action.agent_type) &&
         matches_any(tool_providers, action.tool_provider) &&
         matches_any(providers, action.provider) && matches_any(models, action.model) &&
         matches_any(destinations, action.destination) && matches_any(surfaces, action.surface) &&
         (roles_any.empty() || shares_any(roles_any, action.roles));
}

std::optional<model::Outcome> read_action_outcome(const YamlMap& map, const std::string& key) {
  std::string name = map.text(key, "");
  std::transform(name.begin(), name.end(), name.begin(), lower);
  const auto outcome = model::parse_outcome(name);
  // What comes after kRequireHuman is what becomes of an action, not what a rule asks for.
  if (!outcome || *outcome == model::Outcome::kUnspecified ||
      *outcome > model::Outcome::kRequireHuman) {
    map.reject(key,
               "must be one of allow, deny, redact, require_approval, step_up, require_ticket, "
               "require_human");
    return std::nullopt;
  }
  return outcome;
}

ActionRule read_action_rule(const YamlMap& map) {
  ActionRule rule;
  rule.id = map.required_text("id");
  rule.place = map.where();
  if (rule.id.empty() || rule.id.size() > kMaxText)
    map.reject("id", "must be 1 to " + std::to_string(kMaxText) + " bytes");
  rule.reason = map.text("reason", map.text("description", ""));
  const YamlMap match = map.map("match");
  rule.tools = read_globs(match, {"tool", "tool_name"});
  rule.environments = read_globs(match, {"environment"});
  rule.agents = read_globs(match, {"agent"});
  rule.agent_types = read_globs(match, {"agent_type"});
  rule.tool_providers = read_globs(match, {"tool_provider"});
  rule.providers = read_globs(match, {"provider"});
  rule.models = read_globs(match, {"model"});
  rule.destinations = read_globs(match, {"destination"});
  rule.surfaces = read_globs(match, {"surface"});
  rule.roles_any = read_texts(match, {"roles", "agent_roles_any"});
  const std::string trust = match.text("trust_min", match.text("trust_level_min", "untrusted"));
  if (const auto level = parse_trust_level(trust))
    rule.trust_min = *level;
  else
    match.reject(
        match.has("trust_min") ? "trust_min" : "trust_level_min",
        "`" + trust + "`: allowed is one of untrusted, basic, verified, privileged, system");
  read_conditions(map.map("when"), rule.when);
  rule.outcome = read_action_outcome(map, "outcome").value_or(model::Outcome::kDeny);
  rule.approver_role = map.text("approver_role", "");
  return rule;
}

}  // namespace aispm::policy
