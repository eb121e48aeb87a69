// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/proxy/decide/identity.hpp"
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
  std::string_view intent = {};     // "" = not known
  bool is_registered = false;
  unsigned delegation_depth = 0;
  unsigned max_delegation = policy::kMaxDelegationDepth;
};

struct ActionAsk {
  std::string_view tool;
  std::string_view tool_provider = {};
  std::string_view arguments = {};  // JSON text; "" = none
  std::string_view destination = {};
  std::vector<std::string> labels = {};
  std::vector<std::string> addresses = {};  // as in policy::Action
  // Whether a model asked for it: "exact", "changed" (with other arguments), "none", "unknown"; ""
  // = nobody looked.
  std::string_view asked_by_model = {};
};

struct ActionVerdict {
  model::Outcome outcome = model::Outcome::kAllow;
  std::string rule_id;
  std::string reason;
  std::string approver_role;
  std::string policy_id;
  std::string policy_version;
  std::string digest;  // of tool, provider, destination and arguments: what an approval is bound to
  std::vector<std::string> inputs;  // "tool=refund", "args.amount=2000"
  bool is_alert = false;            // the policy itself is unusable: `rule_id` says how
};

// Whether somebody or something must be asked before the action may go on.
bool must_wait(model::Outcome outcome);

// The strictest of what tools.yaml, actions.yaml, commands.yaml (for shells) and the Rego modules
// `agent` and `tools` say. What cannot be read or evaluated is denied, and what the bundle says
// nothing about.
ActionVerdict judge_action(const PolicyView& policy, const ActionContext& context,
                           const ActionAsk& ask, WallTime now);
// What is recorded of an action that no policy in force was asked about: it passed.
ActionVerdict unjudged_action(const ActionContext& context, const ActionAsk& ask);

// The same for a prompt on its way to a model: the Rego modules `agent` and `prompt` and, where the
// bundle has a risk.yaml, its thresholds. Allows where the bundle says nothing about prompts.
ActionVerdict judge_prompt(const PolicyView& policy, const ActionContext& context,
                           std::string_view prompt, WallTime now);

// What is in a reply, as detection saw it, and what a guard model said of the exchange.
struct ReplyFacts {
  bool has_secret = false;
  bool has_pii = false;
  policy::GuardVerdict guard = policy::GuardVerdict::kAllow;
};
// The Rego module `output` about a reply: allow, redact or deny; a reply waits for nobody. Allows
// where the bundle has no such module.
ActionVerdict judge_output(const PolicyView& policy, const ActionContext& context,
                           const ReplyFacts& reply, WallTime now);

// Lower-case hex SHA-256 over the tool, who provides it, where it goes, and its arguments in
// canonical form: what an approval is good for. kInvalid: the arguments are no JSON object that can
// only be read in one way.
Result<std::string> action_digest(const ActionAsk& ask);

}  // namespace aispm::gateway
