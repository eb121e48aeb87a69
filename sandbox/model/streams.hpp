// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/ioctl.h>
#include <termios.h>

#include <array>

#include "sdk/core/common/unique_fd.hpp"

namespace aispm::sandbox {

// What the agent finds on descriptors 0, 1 and 2. A terminal of the caller is replaced by one of
// the sandbox's own; other outputs are pipes whose other ends the supervisor holds; another input
// is the caller's.
struct AgentStreams {
  std::array<bool, 3> is_terminal{};
  UniqueFd output;  // write ends; none where the stream is a terminal
  UniqueFd errors;
  termios modes{};  // of the terminal inside, at its start
  winsize size{};

  bool wants_terminal() const { return is_terminal[0] || is_terminal[1] || is_terminal[2]; }
};

}  // namespace aispm::sandbox
