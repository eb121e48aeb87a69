// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sensor/model/records.hpp"

namespace aispm::sensor {

// Arguments of one process are cut at this size, as in the kernel's records.
constexpr std::size_t kMaxArgumentBytes = 4096;

// Everything /proc knows about a running process, as an Exec (time = its start). Start times have
// the 10 ms granularity of /proc; see same_start(). Nothing when the process is gone or is a kernel
// thread.
std::optional<Exec> read_process(std::uint32_t pid);

// Target of /proc/PID/exe, without " (deleted)"; empty when the process is gone.
std::string read_executable(std::uint32_t pid);

// All pids in /proc.
std::vector<std::uint32_t> list_processes();

}  // namespace aispm::sensor
