// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "sdk/core/common/result.hpp"

namespace aispm::collector::redteam {

// `aispm redteam` as the collector starts it: Debian's Python, nothing from the environment but
// PATH, no standard input, output into files.
struct Program {
  static constexpr std::size_t kMaxOutputBytes = 64U << 20;
  std::string folder;  // of the program; "" = ../lib/aispm/redteam beside this program

  // kNotFound says where it should be.
  Result<> check() const;
  // Starts it; its process group is its own. Who starts it must wait() for it.
  Result<pid_t> start(const std::vector<std::string>& arguments, const std::string& output_file,
                      const std::string& error_file) const;
};

// Waits for the end; kills the group after `limit`, or when `stop` (a descriptor) can be read. The
// exit status, or 128 and the signal; kDeadlineExceeded; kUnavailable when stopped.
Result<int> wait(pid_t pid, std::chrono::milliseconds limit, int stop);

}  // namespace aispm::collector::redteam
