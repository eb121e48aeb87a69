// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sandbox/apply/start.hpp"
#include "sdk/core/common/result.hpp"

namespace aispm::sandbox {

// Who is at the other end of `connection`, by the kernel's word. kDenied for whoever does not see
// the files that we see (another mount or user namespace, another root): they must not get at ours.
Result<Caller> identify_peer(int connection);

}  // namespace aispm::sandbox
