// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/proxy/decide/agents.hpp"
#include "gateway/proxy/decide/policy_shelf.hpp"
#include "gateway/proxy/decide/risk_facts.hpp"
#include "sdk/core/model/event.hpp"

// What a bundle says about one action. Pure.
namespace aispm::gateway {

// Who wants to act, and in which exchange; views must outlive the call.
struct ActionContext {
  std::string_view agent_id = {};
  const AgentFacts* facts = nullptr;
  std::string_view surface = {};  // "reply", "api", "prompt"
  std::string_view provider = {};
  std::string_view model = {};
  const RiskFacts* risk = nullptr;  // null: not computed
};

struct ActionAsk {
  std::string_view tool;
  std::string_view tool_provider = {};
  std::string_view arguments = {};  // JSON text; "" = none
  std::string_view destination = {};
  std::vector<std::string> labels = {};
};

struct ActionVerdict {
  model::Outcome outcome = model::Outcome::kAllow;
  std::string rule_id;
  std::string reason;
  std::string approver_role;
  std::string policy_id;
  std::string policy_version;
  std::string digest;               // of tool and arguments: what an approval is bound to
  std::vector<std::string> inputs;  // "tool=refund", "args.amount=2000"
  bool is_alert = false;            // the policy itself is unusable: `rule_id` says how
};

// Whether somebody or something must be asked before the action may go on.
bool must_wait(model::Outcome outcome);

// The strictest of what tools.yaml, actions.yaml, commands.yaml (for shells) and the Rego module
// `tools` say. What cannot be read or evaluated is denied, and what the bundle says nothing about.
ActionVerdict judge_action(const PolicyView& policy, const ActionContext& context,
                           const ActionAsk& ask, WallTime now);

// The same for a prompt on its way to a model: the Rego module `prompt` and, where the bundle has a
// risk.yaml, its thresholds. Allows where the bundle says nothing about prompts.
ActionVerdict judge_prompt(const PolicyView& policy, const ActionContext& context,
                           std::string_view prompt, WallTime now);

// The Rego module `output` about a reply; `has_secret` and `has_pii` as detection saw it.
ActionVerdict judge_output(const PolicyView& policy, const ActionContext& context, bool has_secret,
                           bool has_pii, WallTime now);

// Lower-case hex SHA-256 over the tool and its arguments in canonical form. kInvalid: they are no
// JSON object that can only be read in one way.
Result<std::string> action_digest(std::string_view tool, std::string_view arguments);

}  // namespace aispm::gateway
