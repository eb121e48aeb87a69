// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace aispm::sandbox {

// Whose a control group is, by its name.
struct GroupOwner {
  enum class Kind : std::uint8_t {
    kNone,     // not ours
    kSlot,     // root's "aispm-run-SLOT": who holds the lock of that user id
    kProcess,  // "aispm-run-PID.scope", "aispm-pool-PID-NUMBER[.scope]"
  };
  Kind kind = Kind::kNone;
  unsigned number = 0;  // slot or process
};
GroupOwner owner_of_group(std::string_view name);

// Removes in each of `parents` the empty groups of runs and pools that were killed: nobody holds
// the user id, or the process is gone and the group was not made just now. Never one that has
// processes. Bounded (4096 names a folder, 64 removals); gives how many were removed.
std::size_t sweep_groups(const std::vector<std::string>& parents);

}  // namespace aispm::sandbox
