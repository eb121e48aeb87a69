// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "sandbox/model/plan.hpp"

namespace aispm::sandbox {

inline constexpr std::size_t kMaxScratch = 32;  // bits of ControlMessage::extra

// The folders of limited size that the agent may fill, in the order in which process 1 counts them:
// /tmp, /dev/shm, a private home. At most kMaxScratch.
inline std::vector<const Mount*> scratch_folders(const std::vector<Mount>& mounts) {
  std::vector<const Mount*> folders;
  for (const auto& mount : mounts)
    if (mount.kind == Mount::Kind::kTmpfs && mount.target != kRuntimeFolder &&
        folders.size() < kMaxScratch)
      folders.push_back(&mount);
  return folders;
}

}  // namespace aispm::sandbox
