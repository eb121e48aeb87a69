// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "sdk/core/common/result.hpp"

namespace aispm::sensor {

// Tracepoints of system calls can only be attached where tracefs is mounted, for its files tell
// their numbers: mounts it at /sys/kernel/tracing where nobody has. An error says with which
// command an administrator can.
Result<> provide_trace_folder();

}  // namespace aispm::sensor
