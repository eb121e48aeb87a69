// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "sandbox/model/control.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/common/unique_fd.hpp"

// The control messages between the supervisor and the sandbox's first processes, both ways.
namespace aispm::sandbox {

inline constexpr std::size_t kMaxMessageFds = 8;

// At most kMaxMessageFds descriptors. Allocates nothing: process 1 cannot ask for memory.
Result<> send_message(int socket, const ControlMessage& message, std::span<const int> fds);
inline Result<> send_message(int socket, const ControlMessage& message,
                             const std::vector<int>& fds = {}) {
  return send_message(socket, message, std::span<const int>(fds));
}
struct Received {
  ControlMessage message;
  std::vector<UniqueFd> fds;
};
// kUnavailable when the other end closed, kDeadlineExceeded after `timeout_ms` (negative: none).
Result<Received> receive_message(int socket, int timeout_ms);
// The next message, however late, which must be of this kind.
Result<Received> expect_message(int socket, ControlKind kind);
ControlMessage failed_message(const Error& error, int exit_code);

}  // namespace aispm::sandbox
