// SPDX-License-Identifier: Apache-2.0
#include "sandbox/apply/channel.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

namespace aispm::sandbox {
Result<> send_message(int socket, const ControlMessage& message, std::span<const int> fds) {
  iovec part{const_cast<ControlMessage*>(&message), sizeof(message)};
  alignas(cmsghdr) char buffer[CMSG_SPACE(sizeof(int) * kMaxMessageFds)] = {};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (!fds.empty()) {
    if (fds.size() > kMaxMessageFds)
      return fail(Errc::kInternal, "too many descriptors in one control message");
    header.msg_control = buffer;
    header.msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
    cmsghdr* control = CMSG_FIRSTHDR(&header);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
    std::memcpy(CMSG_DATA(control), fds.data(), sizeof(int) * fds.size());
  }
  ssize_t sent = 0;
  do sent = ::sendmsg(socket, &header, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  if (sent != static_cast<ssize_t>(sizeof(message))) return fail_errno("send a control message");
  return {};
}

Result<Received> receive_message(int socket, int timeout_ms) {
  pollfd wait{socket, POLLIN, 0};
  int ready = 0;
  do ready = ::poll(&wait, 1, timeout_ms);
  while (ready < 0 && errno == EINTR);
  if (ready < 0) return fail_errno("poll the control socket");
  if (ready == 0) return fail(Errc::kDeadlineExceeded, "no answer on the control socket");
  Received received;
  iovec part{&received.message, sizeof(received.message)};
  alignas(cmsghdr) char buffer[CMSG_SPACE(sizeof(int) * kMaxMessageFds)] = {};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = buffer;
  header.msg_controllen = sizeof(buffer);
  const ssize_t size = ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
  for (cmsghdr* control = CMSG_FIRSTHDR(&header); control != nullptr;
       control = CMSG_NXTHDR(&header, control)) {
    if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(control) + i * sizeof(int), sizeof(int));
      received.fds.emplace_back(fd);
    }
  }
  if (size < 0) return fail_errno("receive a control message");
  if (size == 0) return fail(Errc::kUnavailable, "the control socket was closed");
  if (size != static_cast<ssize_t>(sizeof(received.message)) ||
      (header.msg_flags & MSG_CTRUNC) != 0)
    return fail(Errc::kInternal, "a control message is cut");
  received.message.text[sizeof(received.message.text) - 1] = '\0';
  return received;
}

Result<Received> expect_message(int socket, ControlKind kind) {
  auto received = receive_message(socket, -1);
  if (received && received->message.kind != kind)
    return fail(Errc::kInternal, "unexpected control message");
  return received;
}

ControlMessage failed_message(const Error& error, int exit_code) {
  ControlMessage message;
  message.kind = ControlKind::kFailed;
  message.value = static_cast<std::uint64_t>(exit_code);
  const std::size_t size = std::min(error.message.size(), sizeof(message.text) - 1);
  std::memcpy(message.text, error.message.data(), size);
  return message;
}

}  // namespace aispm::sandbox
