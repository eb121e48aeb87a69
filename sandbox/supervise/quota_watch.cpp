// SPDX-License-Identifier: Apache-2.0
#include "sandbox/supervise/quota_watch.hpp"

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "sandbox/supervise/quota_record.hpp"

namespace aispm::sandbox {
namespace {

constexpr char kFamily[] = "VFS_DQUOT";
constexpr int kPatienceMs = 200;
constexpr int kMaxPerTurn = 256;
constexpr std::size_t kMaxBytes = 8192;

// Asks generic netlink for the number of the family and its group.
Result<> ask(int socket) {
  struct {
    nlmsghdr header;
    genlmsghdr command;
    nlattr name;
    char text[12];
  } request{};
  static_assert(sizeof(kFamily) <= sizeof(request.text));
  request.header.nlmsg_len = sizeof(request);
  request.header.nlmsg_type = GENL_ID_CTRL;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.command.cmd = CTRL_CMD_GETFAMILY;
  request.command.version = 1;
  request.name.nla_type = CTRL_ATTR_FAMILY_NAME;
  request.name.nla_len = sizeof(nlattr) + sizeof(kFamily);
  std::memcpy(request.text, kFamily, sizeof(kFamily));
  if (::send(socket, &request, sizeof(request), 0) < 0) return fail_errno("ask for quota events");
  return {};
}

}  // namespace

Result<std::unique_ptr<QuotaWatch>> QuotaWatch::open(std::uint32_t project) {
  UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_GENERIC));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (!socket ||
      ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    return fail_errno("open generic netlink");
  AISPM_CHECK(ask(socket.get()));
  pollfd ready{socket.get(), POLLIN, 0};
  std::array<std::uint8_t, kMaxBytes> buffer{};
  if (::poll(&ready, 1, kPatienceMs) != 1)
    return fail(Errc::kDeadlineExceeded, "the kernel tells nothing of quota events");
  const ssize_t size = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
  if (size < 0) return fail_errno("ask for quota events");
  const auto record = read_quota_record({buffer.data(), static_cast<std::size_t>(size)}, true);
  if (!record || record->family == 0 || record->group == 0)
    return fail(Errc::kUnsupported,
                "this kernel announces no quota events (CONFIG_QUOTA_NETLINK_INTERFACE)");
  if (::setsockopt(socket.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &record->group,
                   sizeof(record->group)) != 0)
    return fail_errno("listen to quota events");
  return std::unique_ptr<QuotaWatch>(new QuotaWatch(std::move(socket), record->family, project));
}

bool QuotaWatch::read() {
  bool is_refused = false;
  std::array<std::uint8_t, kMaxBytes> buffer{};
  for (int i = 0; i < kMaxPerTurn; ++i) {
    const ssize_t size = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size < 0 && (errno == ENOBUFS || errno == EINTR)) continue;  // asked again at the end
    if (size <= 0) break;
    const auto record = read_quota_record({buffer.data(), static_cast<std::size_t>(size)}, false);
    is_refused = is_refused || (record && sandbox::is_refusal(*record, family_, project_));
  }
  return is_refused;
}

}  // namespace aispm::sandbox
