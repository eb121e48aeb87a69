// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sdk/core/common/yaml.hpp"
#include "sdk/core/model/event.hpp"
#include "sdk/core/policy/action.hpp"
#include "sdk/core/policy/glob.hpp"

namespace re2 {
class RE2;
}

namespace aispm::policy {

// One condition on an argument. Numbers may be written as text ("1000"); an argument that is not
// there meets none but `neq`. Of several arguments at the path any may hold, for `one_of` all must.
struct ArgumentTest {
  enum class Compare : std::uint8_t { kGt, kGte, kLt, kLte, kEq, kNeq, kOneOf };
  Glob path;
  Compare compare = Compare::kEq;
  Arguments::Value value;
  std::vector<Arguments::Value> values = {};  // of kOneOf
  bool holds(const Arguments* arguments) const;

 private:
  bool holds_all(const Arguments& arguments) const;
};

// All of them must hold; empty lists ask nothing.
struct ActionConditions {
  std::vector<std::string> contains_any;  // in the text, letters of any case
  std::vector<std::string> not_contains;
  std::shared_ptr<const re2::RE2> matches_regex;  // linear time
  std::vector<std::string> data_labels_any;
  std::vector<ArgumentTest> arguments;
  std::vector<Glob> arguments_only;  // no argument at any other path
  bool hold(const Action& action) const;
};

struct ActionRule {
  std::string id;
  std::string reason;
  std::vector<Glob> tools;  // empty: any
  std::vector<Glob> environments;
  std::vector<Glob> agents;
  std::vector<Glob> agent_types;
  std::vector<Glob> tool_providers;
  std::vector<Glob> providers;
  std::vector<Glob> models;
  std::vector<Glob> destinations;
  std::vector<Glob> surfaces;
  std::vector<std::string> roles_any;
  TrustLevel trust_min = TrustLevel::kUntrusted;
  ActionConditions when;
  model::Outcome outcome = model::Outcome::kDeny;
  std::string approver_role;

  std::string place;  // "actions.yaml:12"

  bool matches(const Action& action) const { return fits(action) && when.hold(action); }
  // Its `match` alone: who does what with which tool.
  bool fits(const Action& action) const;
};

inline constexpr std::size_t kMaxRegexBytes = 512;

// Reads one rule; errors go to the map. Accepts the keys of Agent-SPM's JSON policies (`tool_name`,
// `trust_level_min`, `agent_roles_any`, outcomes in capitals) beside ours.
ActionRule read_action_rule(const YamlMap& map);
std::optional<model::Outcome> read_action_outcome(const YamlMap& map, const std::string& key);

}  // namespace aispm::policy
