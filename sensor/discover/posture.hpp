// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>

#include "sensor/discover/security_modules.hpp"

namespace aispm::sensor {

// How well this host is guarded (SEN-028), for ComponentHealth.features: "posture.bpf_lsm" "no",
// "posture.aslr" "full", ... A fact that cannot be read is "unknown", where that can change with
// what it waits for. `root` is put before all paths; `modules` is what the kernel says itself.
std::map<std::string, std::string> read_posture(
    const std::string& root = "",
    const std::optional<std::string>& modules = active_security_modules());

}  // namespace aispm::sensor
