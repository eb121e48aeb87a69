// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "sandbox/apply/start.hpp"
#include "sandbox/plan/plan.hpp"
#include "sandbox/supervise/event_json.hpp"

namespace aispm::sandbox {

// What holds a run in, by the names under which its start tells of it.
std::vector<std::string> mechanisms_of(const Plan& plan, const RootPrefix& prefix,
                                       int landlock_abi);

// What is told of the start besides: its process 1, and the runs that this one runs for, which are
// of the same user. Not part of the boundary, which is compared between runs.
std::vector<std::string> with_run_facts(const RunIdentity& run,
                                        std::vector<std::string> mechanisms);

}  // namespace aispm::sandbox
