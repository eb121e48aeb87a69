// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "sandbox/plan/plan.hpp"
#include "sdk/core/policy/sandbox_rules.hpp"

namespace aispm::sandbox {

// Makes `request` what it may be by the rules of a policy: the stricter of its profile and them.
// `plan` was made of it. Gives what was taken away, for people; empty: nothing changed. kDenied:
// the request demands what a rule forbids, which cannot be narrowed; says which, and what to do.
Result<std::vector<std::string>> narrow(const Host& host,
                                        const std::vector<const policy::SandboxRule*>& rules,
                                        const Plan& plan, Request& request);

}  // namespace aispm::sandbox
