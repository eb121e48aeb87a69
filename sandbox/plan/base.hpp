// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "sandbox/model/host.hpp"
#include "sandbox/model/late.hpp"
#include "sandbox/model/plan.hpp"
#include "sdk/core/common/result.hpp"

// A sandbox that waits is built before anybody says what it is for. Its plan holds what all runs of
// a profile have in common; the rest is added when it is taken.
namespace aispm::sandbox {

// The common part for `want` (its fingerprint is not looked at). kInvalid for an unknown profile.
Result<Plan> make_base(const Host& host, const Want& want);

// Of what is fixed once the sandbox is built; equal plans have equal ones.
std::string fingerprint_of(const Plan& base);

// What to ask the pool for, for this run: an interpreter that waits, where it would be started as
// one that waits was, else a sandbox that executes. An error says why no waiting sandbox can serve
// it.
Result<Want> want_for(const Plan& plan, const Profile& profile);

// True where `base` has no interpreter, or one that was started with the variables that `plan` has
// for it.
bool suits_interpreter(const Plan& plan, const Plan& base);

// The mounts that `plan` has and `base` has not, parents before children. An error says why they
// cannot be added to a sandbox that stands.
Result<std::vector<Mount>> late_mounts(const Plan& plan, const Plan& base);

}  // namespace aispm::sandbox
