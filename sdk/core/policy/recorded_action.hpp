// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "aispm/v1/event.pb.h"
#include "sdk/core/policy/action_rule.hpp"
#include "sdk/core/policy/agent_registry.hpp"
#include "sdk/core/policy/tool_registry.hpp"

// An action as it was recorded, to be judged once more. Its arguments may be there as they were
// sent, without what was redacted, as the few that a decision rested on, or not at all: so a
// condition may hold, not hold, or nobody can tell any more.
namespace aispm::policy {

enum class Certainty : std::uint8_t { kNo, kMaybe, kYes };

class RecordedAction {
 public:
  // `event` must carry an ActionCall and outlive this.
  explicit RecordedAction(const v1::Event& event);
  RecordedAction(const RecordedAction&) = delete;
  RecordedAction& operator=(const RecordedAction&) = delete;

  // Its arguments are there only when they are whole.
  const Action& action() const { return action_; }
  bool is_whole() const { return action_.arguments != nullptr; }
  // What is known of the arguments: all of them when they are whole.
  const std::vector<Arguments::Leaf>& known() const { return known_.leaves(); }
  // "JSON of no object" and the like; empty when nothing is wrong.
  const std::string& problem() const { return problem_; }

  double risk() const { return risk_; }

  // Puts what a registry has of the agent in the place of what was recorded of it.
  void take_facts(const AgentFacts& facts, bool keeps_trust);
  // Whether scopes are known, be there any or not.
  bool knows_scopes() const { return has_facts_ || !inputs("scope").empty(); }
  // What the tool said of itself; null: its definition was not seen.
  const ToolSight* sight() const { return has_sight_ ? &sight_ : nullptr; }

  Certainty holds(const ArgumentTest& test) const;
  Certainty holds(const ActionConditions& when) const;
  Certainty matches(const ActionRule& rule) const;

  // The value of an input such as "scope": every one that was recorded.
  std::vector<std::string> inputs(std::string_view name) const;

 private:
  void read_arguments();
  void read_inputs();
  Certainty contains_any(const std::vector<std::string>& words) const;

  std::vector<std::string> roles_;
  std::vector<std::string> labels_;
  std::vector<std::string> inputs_;
  std::string text_;  // as recorded
  double risk_ = 0;
  Arguments known_;
  std::string problem_;
  AgentFacts facts_;
  bool has_facts_ = false;
  ToolSight sight_;
  bool has_sight_ = false;
  Action action_;
};

}  // namespace aispm::policy
