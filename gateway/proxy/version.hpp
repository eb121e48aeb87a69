// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace aispm::gateway {

inline constexpr char kVersion[] = AISPM_VERSION;

}  // namespace aispm::gateway
