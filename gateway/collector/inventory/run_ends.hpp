// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/collector/inventory/sessions.hpp"

// A run ends with its SandboxExit. Where aispm-run was killed nobody sends one; then it ends as its
// process 1 does, which a sensor of the host reports. In whichever order start and end arrive; a
// SandboxExit counts instead, whenever it comes. Runs without a sensor, and those whose process 1
// the host does not know (gVisor), stay without an end. On the writer's thread, inside its
// transaction.
namespace aispm::collector::inventory {

// After a process of the session ended.
Result<> end_with_init(store::Database& database, Sessions& sessions, std::int64_t session,
                       const aispm::v1::Process& process, const aispm::v1::ProcessExit& exit,
                       WallTime time);

// After the session's SandboxStart: its process 1 may have ended before that came.
Result<> end_with_known_init(store::Database& database, Sessions& sessions, std::int64_t session,
                             std::int64_t host, const aispm::v1::SandboxStart& start,
                             WallTime started);

}  // namespace aispm::collector::inventory
