// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "sandbox/model/plan.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/common/unique_fd.hpp"

namespace aispm::sandbox {

// In process 1: tells which of the scratch folders were full. The kernel announces no refused write
// and keeps no high-water mark of a tmpfs, so it is asked: at the agent's end, every 20 ms while
// what is used changes, and every 20 ms to 1 s while it does not. A folder that was full between
// two questions only is not seen.
class ScratchWatch {
 public:
  ScratchWatch() = default;
  // In the built sandbox.
  static Result<ScratchWatch> open(const Plan& plan);

  // Bits of those that are full now and were not told before, in the order of scratch_folders().
  // Asks for no memory, uses fstatfs(2) alone. `is_pause_over`: pause_ms() has passed.
  std::uint32_t look(bool is_pause_over);
  // The next look is soon. Before the first call there is none.
  void begin();
  // Until the next look; -1: none is needed.
  int pause_ms() const { return pause_ms_; }

 private:
  std::vector<UniqueFd> folders_;
  std::uint32_t seen_ = 0;
  std::uint64_t used_ = 0;  // blocks and inodes at the last look
  int pause_ms_ = -1;
};

}  // namespace aispm::sandbox
