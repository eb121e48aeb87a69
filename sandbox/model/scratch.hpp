// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "sandbox/model/plan.hpp"

namespace aispm::sandbox {

inline constexpr std::size_t kMaxScratch = 32;  // bits of ControlMessage::extra

// A folder of limited size that the agent may fill: /tmp, /dev/shm, a private home. What stands in
// for a protected place of the workspace (`.opencode`) is none: it lies below a folder of the host,
// and a waiting sandbox gets it late.
inline bool is_scratch(const Mount& mount, const std::vector<Mount>& mounts) {
  if (mount.kind != Mount::Kind::kTmpfs || mount.target == kRuntimeFolder) return false;
  return std::none_of(mounts.begin(), mounts.end(), [&](const Mount& other) {
    return other.kind == Mount::Kind::kBindReadWrite &&
           mount.target.starts_with(other.target + "/");
  });
}

// In the order in which process 1 counts them. At most kMaxScratch.
inline std::vector<const Mount*> scratch_folders(const std::vector<Mount>& mounts) {
  std::vector<const Mount*> folders;
  for (const auto& mount : mounts)
    if (is_scratch(mount, mounts) && folders.size() < kMaxScratch) folders.push_back(&mount);
  return folders;
}

}  // namespace aispm::sandbox
