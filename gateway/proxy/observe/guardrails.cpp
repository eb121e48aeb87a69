// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/observe/guardrails.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "sdk/core/policy/strictness.hpp"

namespace aispm::gateway {
namespace {

namespace json = boost::json;
using model::Outcome;
using policy::Direction;

bool looks(const Guardrail& guardrail, Direction direction) {
  return guardrail.applies_to == "both" ||
         guardrail.applies_to == (direction == Direction::kRequest ? "input" : "output");
}

Outcome outcome_of(const Guardrail& guardrail) {
  if (guardrail.action == "block") return Outcome::kDeny;
  return guardrail.action == "redact" ? Outcome::kRedact : Outcome::kAllow;
}

json::object rule_of(const Guardrail& guardrail) {
  json::object rule;
  rule["id"] = guardrail.rule_id();
  rule["label"] = "guardrail";
  rule["severity"] = guardrail.severity;
  rule["confidence"] = 0.9;
  rule["caseless"] = guardrail.caseless;
  rule["message"] = "guardrail: " + guardrail.name;
  json::array patterns;
  json::array hits;
  if (guardrail.type == GuardrailType::kRegex) {
    patterns.emplace_back(guardrail.pattern);
    hits.emplace_back(guardrail.example);
  } else {
    for (const std::string& keyword : guardrail.keywords) {
      patterns.emplace_back(literal_pattern(keyword));
      hits.emplace_back(keyword);
    }
    rule["not_after"] = R"(\w)";
    rule["not_before"] = R"(\w)";
  }
  rule["patterns"] = std::move(patterns);
  rule["hits"] = std::move(hits);
  rule["misses"] = json::array{"~"};
  return rule;
}

}  // namespace

std::string literal_pattern(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (std::string_view(R"(\^$.|?*+()[]{}/-)").find(c) != std::string_view::npos)
      out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

GuardrailSet::GuardrailSet(std::vector<Guardrail> guardrails) : all_(std::move(guardrails)) {
  json::array rules;
  for (const Guardrail& guardrail : all_) {
    if (!guardrail.enabled) continue;
    if (guardrail.type == GuardrailType::kThreshold) {
      thresholds_.push_back({&guardrail, policy::Glob(guardrail.rule)});
      continue;
    }
    patterns_.emplace(guardrail.rule_id(), &guardrail);
    rules.push_back(rule_of(guardrail));
  }
  // JSON is YAML.
  if (!rules.empty())
    pack_ = json::serialize(
        json::object{{"pack", "guardrails"}, {"category", "custom"}, {"rules", std::move(rules)}});
}

bool GuardrailSet::is_elsewhere(Direction direction, std::string_view rule_id) const {
  const auto found = patterns_.find(std::string(rule_id));
  return found != patterns_.end() && !looks(*found->second, direction);
}

std::optional<policy::Verdict> GuardrailSet::judge(Direction direction, const policy::Fact& fact,
                                                   policy::Mode mode) const {
  const Guardrail* strictest = nullptr;
  const auto weigh = [&](const Guardrail& one) {
    if (looks(one, direction) &&
        (strictest == nullptr ||
         policy::strictness(outcome_of(one)) > policy::strictness(outcome_of(*strictest))))
      strictest = &one;
  };
  if (const auto own = patterns_.find(std::string(fact.rule_id)); own != patterns_.end())
    weigh(*own->second);
  for (const Threshold& one : thresholds_) {
    const bool fits = one.guardrail->category.empty() ? one.rule.matches(fact.rule_id)
                                                      : one.guardrail->category == fact.category;
    if (fits && fact.confidence >= one.guardrail->threshold) weigh(*one.guardrail);
  }
  if (strictest == nullptr || outcome_of(*strictest) == Outcome::kAllow) return std::nullopt;
  const Outcome decided = outcome_of(*strictest);
  return policy::Verdict{.decided = decided,
                         .applied = mode == policy::Mode::kEnforce ? decided : Outcome::kAllow,
                         .mode = mode,
                         .rule_id = strictest->id,
                         .reason = strictest->name};
}

}  // namespace aispm::gateway
