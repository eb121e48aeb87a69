// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sdk/core/common/secret.hpp"
#include "sensor/model/records.hpp"

namespace aispm::sensor {

// Arguments of one process are cut at this size, as in the kernel's records.
constexpr std::size_t kMaxArgumentBytes = 4096;

// Everything /proc knows about a running process, as an Exec (time = its start). Start times have
// the 10 ms granularity of /proc; see same_start(). Nothing when the process is gone or is a kernel
// thread.
std::optional<Exec> read_process(std::uint32_t pid);

// The pid with its start time, as above; nothing when it is gone.
std::optional<ProcessId> read_identity(std::uint32_t pid);

// Target of /proc/PID/exe, without " (deleted)"; empty when the process is gone.
std::string read_executable(std::uint32_t pid);

// Running descendants of a process, nearest first; at most kMaxDescendants.
constexpr std::size_t kMaxDescendants = 4096;
std::vector<model::ProcessId> list_descendants(std::uint32_t pid);

// /proc/PID/environ, cut at `limit_bytes`; empty when the process is gone.
Secret read_environment(std::uint32_t pid, std::size_t limit_bytes);

// All pids in /proc.
std::vector<std::uint32_t> list_processes();

}  // namespace aispm::sensor
