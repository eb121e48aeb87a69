// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/proxy/decide/action_judge.hpp"
#include "sdk/core/policy/rego_decision.hpp"

// What the judges of a bundle's parts have in common (action_judge.hpp, module_judge.hpp). Pure.
namespace aispm::gateway {

inline constexpr std::size_t kMaxInputBytes = 64;  // of a value shown in a record

// Unusable policies deny everything: true, and `verdict` says so.
bool is_unusable(const PolicyView& policy, WallTime now, ActionVerdict& verdict);

// Takes a part's word where it is the first or stricter than those before.
void strengthen(ActionVerdict& verdict, model::Outcome outcome, std::string_view rule,
                std::string_view reason, std::string_view approver_role);

// What a verdict rests on, for its record; values are cut, empty ones left out.
void add_input(ActionVerdict& verdict, std::string_view name, std::string_view value);
void add_inputs(const ActionContext& context, const ActionAsk& ask, ActionVerdict& verdict);

boost::json::array list_of(const std::vector<std::string>& texts);
const char* word_of(policy::GuardVerdict guard);

// What every Rego module sees: who acts, and how risky the exchange is.
boost::json::object base_input(const ActionContext& context);

// Asks `data.aispm.MODULE.decision` and strengthens the verdict by it.
policy::RegoDecision ask_rego(const PolicyView& policy, std::string_view module,
                              const boost::json::object& input, ActionVerdict& verdict);

}  // namespace aispm::gateway
