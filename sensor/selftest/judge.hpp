// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sensor/model/records.hpp"

namespace aispm::sensor {

// What the workload process and its records must look like.
struct Expected {
  std::uint32_t worker = 0;  // pid that did everything
  std::uint32_t killed = 0;  // pid that ended by SIGKILL
  std::uint32_t parent = 0;
  std::uint32_t uid = 0;
  std::uint64_t pid_namespace = 0;
  std::string exe;
  bool has_ipv6 = false;
};

struct Verdict {
  std::string feature;
  std::string part;  // "process", "network" or "tls": whose method it is
  bool passes = false;
  std::string why;  // empty when it passes
};

// One verdict for each feature. Pure.
std::vector<Verdict> judge(const Expected& expected, const std::vector<Record>& records);

}  // namespace aispm::sensor
