// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/model/denial.hpp"
#include "sandbox/supervise/lines.hpp"
#include "sandbox/supervise/proxy_header.hpp"
#include "sandbox/supervise/relay.hpp"
#include "sdk/core/common/time.hpp"
#include "sdk/core/model/run_facts.hpp"

namespace aispm::sandbox {

// JSON text in quotes. Control characters are escaped, bytes that are not UTF-8 become U+FFFD.
std::string json_text(std::string_view text);

// What every event of one run carries.
struct RunIdentity {
  std::string agent_id;
  std::string session_id;
  std::string trace_id;
  std::uint64_t pid_namespace = 0;
  std::vector<ParentRun> parents = {};  // for whom it runs
  model::RunInit init = {};             // its process 1 as this host knows it; pid 0: not known
};

// Whether the sandbox waited in the pool, and if the pool was asked in vain, why.
struct StartKind {
  bool is_warm = false;
  std::string cold_reason;
};

// proto3 JSON of aispm.v1.Event, one line each, with an id and a time of its own.
std::string start_event(const RunIdentity& run, const std::vector<std::string>& command,
                        const std::string& profile, const std::vector<std::string>& mechanisms,
                        const std::vector<std::string>& boundary, const std::string& workspace,
                        const StartKind& kind = {});
// `now` and `wall_now` are one moment on both clocks.
std::string denial_event(const RunIdentity& run, const FoldedDenial& folded,
                         std::chrono::steady_clock::time_point now, WallTime wall_now);
// A connection to an allowed host that has ended, as seen here (the gateway's own event is the
// record).
std::string carried_event(const RunIdentity& run, const Carried& carried);
std::string log_event(const RunIdentity& run, const AgentLine& line);

// How a run ended.
struct ExitReport {
  unsigned exit_code = 0;
  unsigned signal = 0;
  std::chrono::microseconds duration{0};
  std::uint64_t denials = 0;
  std::vector<std::string> limits;  // reached; the first one ended the run if `ended_by_limit`
  bool ended_by_limit = false;
  std::uint64_t output_bytes = 0;
  std::uint64_t log_lines = 0;
  std::uint64_t lost_log_lines = 0;
};
std::string exit_event(const RunIdentity& run, const ExitReport& report);

}  // namespace aispm::sandbox
