// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <string_view>

#include "sdk/core/model/run_facts.hpp"

namespace aispm::sandbox {

// Process 1 of a sandbox as this host's sensor knows it: `pid`, or with a `pidfd` of 0 and more
// whom that is of. pid 0 where /proc does not tell, or it has ended.
model::RunInit find_init(pid_t pid, int pidfd);

// Nanoseconds since boot at which a process started, by /proc/PID/stat; 0 for other text. Pure.
std::uint64_t start_of_stat(std::string_view stat, long ticks_per_second);

}  // namespace aispm::sandbox
