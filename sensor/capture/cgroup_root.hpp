// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace aispm::sensor {

// Where cgroup2 is mounted, by /proc/mounts; "" when it is not.
std::string find_cgroup_root();

}  // namespace aispm::sensor
