// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <map>
#include <string>

#include "sensor/capture/capture.hpp"

namespace aispm::sensor {

// CPU ns of one SSL_write with each library of this host that can be checked, before anything is
// probed by this process.
std::map<std::string, double> measure_unprobed();

// Runs every library's check under `capture` and prints a table: runtime, method, site, what
// capture adds to a write, verdict. Returns how many were seen wrongly; those that cannot be
// checked are said to be "not verified", with the reason.
std::size_t print_libraries(Capture& capture, const std::map<std::string, double>& unprobed);

}  // namespace aispm::sensor
