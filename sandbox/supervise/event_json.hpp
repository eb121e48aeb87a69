// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/model/denial.hpp"
#include "sandbox/supervise/relay.hpp"
#include "sdk/core/common/time.hpp"

namespace aispm::sandbox {

// JSON text in quotes. Control characters are escaped, bytes that are not UTF-8 become U+FFFD.
std::string json_text(std::string_view text);

// What every event of one run carries.
struct RunIdentity {
  std::string agent_id;
  std::string session_id;
  std::string trace_id;
  std::uint64_t pid_namespace = 0;
};

// proto3 JSON of aispm.v1.Event, one line each, with an id and a time of its own.
std::string start_event(const RunIdentity& run, const std::vector<std::string>& command,
                        const std::string& profile, const std::vector<std::string>& mechanisms);
// `now` and `wall_now` are one moment on both clocks.
std::string denial_event(const RunIdentity& run, const FoldedDenial& folded,
                         std::chrono::steady_clock::time_point now, WallTime wall_now);
// A connection to an allowed host that has ended, as seen here (the gateway's own event is the
// record).
std::string carried_event(const RunIdentity& run, const Carried& carried);
std::string exit_event(const RunIdentity& run, unsigned exit_code, unsigned signal,
                       std::chrono::microseconds duration, std::uint64_t denials);

}  // namespace aispm::sandbox
