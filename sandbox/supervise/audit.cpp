// SPDX-License-Identifier: Apache-2.0
#include "sandbox/supervise/audit.hpp"

#include <linux/audit.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

namespace aispm::sandbox {
namespace {

constexpr int kReceiveBytes = 4 << 20;
constexpr std::size_t kMaxRecordBytes = 9216;  // MAX_AUDIT_MESSAGE_LENGTH is 8970
constexpr std::uint16_t kMark = 1121;          // AUDIT_TRUSTED_APP
constexpr int kMaxPerTurn = 1024;
constexpr std::chrono::milliseconds kLastPatience{200};
constexpr std::chrono::milliseconds kStatusPatience{200};

Result<UniqueFd> open_socket(unsigned groups) {
  UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_AUDIT));
  if (!socket) return fail_errno("audit socket");
  (void)::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBytes,
                     sizeof(kReceiveBytes));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = groups;
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    return fail_errno("audit socket: bind");
  return socket;
}

Result<> request(int socket, std::uint16_t type, const std::string& payload) {
  std::string message(NLMSG_SPACE(payload.size()), '\0');
  nlmsghdr header{};
  header.nlmsg_len = static_cast<std::uint32_t>(NLMSG_LENGTH(payload.size()));
  header.nlmsg_type = type;
  header.nlmsg_flags = NLM_F_REQUEST;
  std::memcpy(message.data(), &header, sizeof(header));
  std::memcpy(message.data() + NLMSG_HDRLEN, payload.data(), payload.size());
  if (::send(socket, message.data(), message.size(), 0) < 0) return fail_errno("audit: request");
  return {};
}

// The answer to an AUDIT_GET sent before.
Result<audit_status> receive_status(int socket) {
  std::array<char, kMaxRecordBytes> buffer{};
  pollfd ready{socket, POLLIN, 0};
  while (::poll(&ready, 1, static_cast<int>(kStatusPatience.count())) > 0) {
    const ssize_t size = ::recv(socket, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size < static_cast<ssize_t>(NLMSG_HDRLEN)) return fail_errno("audit: status");
    nlmsghdr header{};
    std::memcpy(&header, buffer.data(), sizeof(header));
    if (header.nlmsg_type == NLMSG_ERROR) return fail(Errc::kDenied, "audit: status refused");
    if (header.nlmsg_type != AUDIT_GET) continue;
    audit_status status{};
    std::memcpy(&status, buffer.data() + NLMSG_HDRLEN,
                std::min(sizeof(status), static_cast<std::size_t>(size) - NLMSG_HDRLEN));
    return status;
  }
  return fail(Errc::kDeadlineExceeded, "audit: no status");
}

}  // namespace

Result<std::unique_ptr<Audit>> Audit::open(std::uint32_t host_uid, const std::string& session_id) {
  auto control = open_socket(0);
  if (!control) return fail(Errc::kUnsupported, "no audit in this kernel or container");
  auto socket = open_socket(AUDIT_NLGRP_READLOG);
  if (!socket || !request(control->get(), AUDIT_GET, {}))
    return fail(Errc::kUnsupported, "the audit stream may not be read");
  return std::unique_ptr<Audit>(
      new Audit(std::move(*socket), std::move(*control), host_uid, session_id));
}

Result<> Audit::confirm() {
  const auto status = receive_status(control_.get());
  if (!status) return fail(Errc::kUnsupported, "the audit stream may not be read");
  if (status->enabled == 0) return fail(Errc::kUnsupported, "audit is off on this host");
  lost_before_ = status->lost;
  return {};
}

std::vector<Denial> Audit::read() {
  std::vector<Denial> denials;
  std::array<char, kMaxRecordBytes> buffer{};
  for (int i = 0; i < kMaxPerTurn; ++i) {
    const ssize_t size = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size < 0 && errno == ENOBUFS)
      denials.push_back({DenialKind::kFile, "(unseen: too many audit records at once)", ""});
    if (size < static_cast<ssize_t>(NLMSG_HDRLEN)) {
      if (size < 0 && (errno == ENOBUFS || errno == EINTR)) continue;
      break;
    }
    nlmsghdr header{};
    std::memcpy(&header, buffer.data(), sizeof(header));
    // The length in a record's header leaves the header out.
    const std::string_view text(buffer.data() + NLMSG_HDRLEN,
                                static_cast<std::size_t>(size) - NLMSG_HDRLEN);
    if (header.nlmsg_type == kMark && text.find(session_id_) != std::string_view::npos)
      saw_mark_ = true;
    for (auto& denial : records_.read(header.nlmsg_type, text))
      denials.push_back(std::move(denial));
  }
  return denials;
}

std::vector<Denial> Audit::read_last() {
  std::vector<Denial> denials;
  const auto take = [&] {
    for (auto& denial : read()) denials.push_back(std::move(denial));
  };
  const auto deadline = std::chrono::steady_clock::now() + kLastPatience;
  // The kernel takes the last byte for the text's NUL.
  std::string mark = "op=sandbox-end session=" + session_id_;
  mark.push_back('\0');
  const bool is_marked = request(control_.get(), kMark, mark).has_value();
  take();
  while (is_marked && !saw_mark_) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now())
            .count();
    pollfd ready{socket_.get(), POLLIN, 0};
    if (left <= 0 || ::poll(&ready, 1, static_cast<int>(left)) == 0) break;
    take();
  }
  if (!saw_mark_) denials.push_back({DenialKind::kFile, "(unseen: the audit stream is slow)", ""});
  return denials;
}

std::uint32_t Audit::lost() const {
  if (!request(control_.get(), AUDIT_GET, {})) return 0;
  const auto status = receive_status(control_.get());
  if (!status) return 0;
  // An administrator may have set it back meanwhile.
  return status->lost < lost_before_ ? status->lost : status->lost - lost_before_;
}

}  // namespace aispm::sandbox
