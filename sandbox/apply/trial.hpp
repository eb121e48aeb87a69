// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "sandbox/apply/steps.hpp"

namespace aispm::sandbox {

// The steps in which hosts differ, in the order of a real start.
enum class TrialStep : std::uint8_t { kNone, kClone, kIdentity, kForbid, kMounts, kProc };

struct Trial {
  TrialStep failed = TrialStep::kNone;
  int error = 0;  // errno
};

// Tries them in a process that ends at once, as an unprivileged user.
Trial try_namespaces();

}  // namespace aispm::sandbox
