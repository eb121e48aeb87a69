// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace aispm::sandbox {

// A locked file for each host user id that a run of root's has.
inline constexpr const char* kUidSlotFolder = "/run/aispm/uids";

}  // namespace aispm::sandbox
