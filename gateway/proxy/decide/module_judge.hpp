// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/proxy/decide/action_judge.hpp"
#include "sdk/core/policy/action.hpp"

// The Rego modules of a bundle that are about more than an action as such: model, budget, egress,
// retrieval, memory, write_approval, pii. A bundle without the module says nothing: the verdict
// allows and has no rule. What a module cannot answer is denied. Pure.
namespace aispm::gateway {

bool has_module(const PolicyView& policy, std::string_view module);

// A model as the model gate knows it.
struct ModelFacts {
  std::string_view name;
  std::string_view provider;
  std::string_view status;  // "approved", "review", "retired"; "" = no list or registry knows it
};
// Bound to model and provider, whatever is asked of them: an approval is good for one call.
ActionVerdict judge_model(const PolicyView& policy, const ActionContext& context,
                          const ModelFacts& facts, WallTime now);

// Tokens, with what is reserved. Nothing: no budget of the gateway counts them, and the module is
// not told.
struct BudgetFacts {
  std::optional<std::uint64_t> session_tokens;
  std::optional<std::uint64_t> day_tokens;
  std::uint64_t wanted = 0;
};
// Nobody is asked about a budget: what would have to wait is denied.
ActionVerdict judge_budget(const PolicyView& policy, const ActionContext& context,
                           const BudgetFacts& facts, WallTime now);

// The module `egress`: may data go to this host? Nobody is asked there, likewise.
ActionVerdict judge_host(const PolicyView& policy, const ActionContext& context,
                         std::string_view host, WallTime now);

// The same for a sandboxed run's own way out: what the registry has of its agent. A policy that
// cannot be used or has expired denies, with or without the module.
ActionVerdict judge_run_host(const PolicyView& policy, const policy::AgentRegistry& registry,
                             std::string_view agent_id, std::string_view host, WallTime now);

// The module `retrieval` about documents that stand in a request; `place`: what they came by.
ActionVerdict judge_documents(const PolicyView& policy, const ActionContext& context,
                              std::string_view place, std::uint64_t count, WallTime now);

// The module `pii` about kinds such as "pii.iban"; `direction`: "request", "reply". Allow, redact
// or deny.
ActionVerdict judge_pii(const PolicyView& policy, const ActionContext& context,
                        const std::vector<std::string>& kinds, std::string_view direction,
                        WallTime now);

// The modules write_approval, memory, retrieval and egress about a tool call, by what it does
// (tool_use.hpp). Strengthens the verdict of the bundle's other parts.
void ask_about_use(const PolicyView& policy, const ActionContext& context, const ActionAsk& ask,
                   const policy::Arguments* arguments, ActionVerdict& verdict);

}  // namespace aispm::gateway
