// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "sandbox/model/host.hpp"
#include "sandbox/model/plan.hpp"
#include "sandbox/plan/program.hpp"
#include "sdk/core/common/result.hpp"

// `isolation: gvisor`: the plan of the ordinary sandbox, with gVisor's runsc as what is started in
// it (ADR 0039). Pure.
namespace aispm::sandbox {

// Finds runsc and shares it. kUnsupported with the remedy where there is none.
Result<std::string> share_runtime(const Host& host, const std::string& profile, Program& program);
// Its own notes, and the whole of /proc, which the agent does not see.
void add_runtime_mounts(Plan& plan);

// runsc on PATH or where packages put it; empty: none.
std::string find_runtime(const Host& host);

inline constexpr const char* kRuntimeRemedy =
    "apt install runsc (Debian, Ubuntu), else https://gvisor.dev/docs/user_guide/install";

inline constexpr const char* kRuntimeNewer =
    "a later runsc: Debian 13, or https://gvisor.dev/docs/user_guide/install";

// Writes the plan down for the runtime: what is in force from here on is final. `is_terminal`: of
// descriptors 0, 1 and 2; `memory_is_in_group`: a control group limits the memory of the whole run.
// kInvalid for words and variables that are not UTF-8, which its configuration cannot hold.
Result<> wrap_in_runtime(Plan& plan, const std::array<bool, 3>& is_terminal,
                         bool memory_is_in_group);

}  // namespace aispm::sandbox
