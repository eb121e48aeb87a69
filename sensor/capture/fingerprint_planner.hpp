// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "sensor/capture/probe_plan.hpp"
#include "sensor/fingerprint/pack.hpp"

namespace aispm::sensor {

// Finds TLS that is linked into stripped programs: BoringSSL, aws-lc below rustls, Go. Slow: reads
// the code of the whole file.
std::shared_ptr<const Planner> make_fingerprint_planner(fingerprint::Packs packs);

}  // namespace aispm::sensor
