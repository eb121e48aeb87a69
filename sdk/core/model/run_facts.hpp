// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// What aispm-run tells of a run's start among its mechanisms, and who reads it there.
namespace aispm::model {

// A run in a sandbox that another one runs for: that one has no more rights, and what stops this
// stops that.
struct RunParent {
  std::string agent_id;
  std::string session_id;
  bool operator==(const RunParent&) const = default;
};

// "runs_for:SESSION AGENT"
inline constexpr std::string_view kRunsFor = "runs_for:";

// Nothing for any other mechanism.
inline std::optional<RunParent> parse_runs_for(std::string_view mechanism) {
  if (!mechanism.starts_with(kRunsFor)) return std::nullopt;
  mechanism.remove_prefix(kRunsFor.size());
  const auto space = mechanism.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  return RunParent{std::string(mechanism.substr(space + 1)),
                   std::string(mechanism.substr(0, space))};
}

// Process 1 of a run, by which a sensor of the same host knows it with all that it starts.
struct RunInit {
  std::uint32_t pid = 0;
  std::uint64_t start_boottime_ns = 0;  // exact to a clock tick
};

// "init:PID@NANOSECONDS"
inline constexpr std::string_view kRunInit = "init:";

inline std::string describe_run_init(const RunInit& init) {
  return std::string(kRunInit) + std::to_string(init.pid) + "@" +
         std::to_string(init.start_boottime_ns);
}

// Nothing for any other mechanism, for pids that no run can have, and for what is no number.
inline std::optional<RunInit> parse_run_init(std::string_view mechanism) {
  if (!mechanism.starts_with(kRunInit)) return std::nullopt;
  const char* const end = mechanism.data() + mechanism.size();
  RunInit init;
  const auto pid = std::from_chars(mechanism.data() + kRunInit.size(), end, init.pid);
  if (pid.ec != std::errc() || pid.ptr == end || *pid.ptr != '@') return std::nullopt;
  const auto start = std::from_chars(pid.ptr + 1, end, init.start_boottime_ns);
  if (start.ec != std::errc() || start.ptr != end) return std::nullopt;
  if (init.pid < 2 || init.start_boottime_ns == 0) return std::nullopt;
  return init;
}

}  // namespace aispm::model
