// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace aispm::sensor {

inline constexpr char kVersion[] = AISPM_VERSION;  // set by CMake from project()

}  // namespace aispm::sensor
