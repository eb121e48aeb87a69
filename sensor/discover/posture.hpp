// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

namespace aispm::sensor {

// How well this host is guarded (SEN-028), for ComponentHealth.features: "posture.bpf_lsm" "no",
// "posture.aslr" "full", ... A fact that cannot be read is "unknown". `root` is put before all
// paths.
std::map<std::string, std::string> read_posture(const std::string& root = "");

}  // namespace aispm::sensor
