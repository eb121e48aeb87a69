// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "sdk/core/policy/rego_decision.hpp"
#include "sdk/core/policy/tool_use.hpp"

namespace aispm::policy {

// Any of write_approval, memory, retrieval, egress.
bool has_use_modules(const Rego& rego);

// What these modules say of a tool call, by what it does: each that is in the bundle and is
// concerned, up to the first that denies. `base`: what every module sees of who acts, a JSON
// object. Any thread.
std::vector<RegoDecision> ask_use_modules(const Rego& rego, const ToolUse& use,
                                          std::string_view base);

// More chunks than `retrieval` allows are a denial.
RegoDecision ask_retrieval(const Rego& rego, std::string_view base, std::string_view place,
                           std::uint64_t wanted);
RegoDecision ask_egress(const Rego& rego, std::string_view base, std::string_view host);

}  // namespace aispm::policy
