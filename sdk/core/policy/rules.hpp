// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sdk/core/policy/glob.hpp"
#include "sdk/core/policy/policy.hpp"

// A parsed rule file.
namespace aispm::policy {

struct PolicyRule {
  std::string id;
  std::string category;  // "" = any
  Glob rule_id;
  model::Severity severity = model::Severity::kUnspecified;  // at least
  double confidence = 0;                                     // at least
  std::optional<Direction> direction;                        // absent = both
  std::vector<std::string> surfaces;                         // empty = any
  Glob agent;
  Glob provider;
  Glob model;
  model::Outcome outcome = model::Outcome::kAllow;
  Mode mode = Mode::kEnforce;
  std::string reason;

  bool matches(const Context& context, const Fact& fact) const;
};

struct Access {
  std::string id;  // "access[0]"
  Glob agent;
  std::vector<Glob> models;     // empty = any
  std::vector<Glob> providers;  // empty = any
};

struct Rules {
  Mode mode = Mode::kEnforce;
  bool store_text = false;
  bool fail_closed = true;
  bool waits_for_opinions = true;
  bool uses_placeholders = false;
  bool keeps_vault = false;
  std::vector<Access> access;
  std::vector<PolicyRule> rules;
};

// Errors read `name:line: what is wrong, what is allowed`.
Result<Rules> parse_rules(const std::string& content, const std::string& name);

}  // namespace aispm::policy
