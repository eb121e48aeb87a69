// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "sdk/core/policy/agent_registry.hpp"
#include "sdk/core/policy/tool_gate.hpp"

namespace aispm::policy {

// How an agent stands whom nobody handed a task.
struct AgentStanding {
  bool is_registered = false;
  unsigned max_delegation = 0;
};

// An action and what is known beside it, read from JSON:
//
//   {"tool": "refund", "tool_provider": "", "arguments": {...}, "text": "", "agent": "",
//   "agent_type": "",
//    "roles": [], "scopes": [], "trust": "basic", "environment": "", "provider": "", "model": "",
//    "destination": "", "surface": "", "labels": [], "posture": 0.1, "signals": [], "intent": "",
//    "definition": {"description": <hash>, "schema": <hash>, "endpoint": <hash>, "source": <hash>,
//    "version": ""}}
//
// Move-only; the views of action() and state() live as long as it.
class ActionJson {
 public:
  // Anything else, or a value of another type, is kInvalid and named.
  static Result<ActionJson> parse(std::string_view json);
  ActionJson(ActionJson&&) noexcept;
  ActionJson& operator=(ActionJson&&) noexcept;
  ~ActionJson();

  // Puts what a registry has of the agent in the place of what the object says of it.
  void take_facts(AgentFacts facts);

  const Action& action() const;
  const ToolState& state() const;
  // What Rego modules see as `input`. The agent stands as `standing` says.
  std::string rego_input(const AgentStanding& standing) const;

 private:
  struct State;
  explicit ActionJson(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace aispm::policy
