// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>

#include "sandbox/model/plan.hpp"
#include "sandbox/supervise/delivery.hpp"
#include "sandbox/supervise/event_json.hpp"

// What --requirements came to, as events.
namespace aispm::sandbox {

inline constexpr std::chrono::milliseconds kLastEventsPatience{3000};

// Which packages the run may import, each with the hash of the file that it came from: lines of the
// sandbox's own, which no output of an agent can be.
void report_packages(const RunIdentity& run, const PackageSet& set, Delivery& delivery);

// Tells that a run was refused before it began, as an event of the run that it would have been.
// Gives why that could not be told; empty when it was. `stream` says what refused it.
std::string report_refusal(const Request& request, const std::string& events_path,
                           const std::string& stream, const std::string& reason);

}  // namespace aispm::sandbox
