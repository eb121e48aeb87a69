// SPDX-License-Identifier: Apache-2.0
#include "sandbox/pool/peer.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <string>

namespace aispm::sandbox {
namespace {

constexpr int kPeerGroups = 59;  // SO_PEERGROUPS, Linux 4.13
constexpr int kPeerPidfd = 77;   // SO_PEERPIDFD, Linux 6.5
constexpr std::size_t kMaxGroups = 64;

bool is_same_file(const std::string& a, const std::string& b) {
  struct stat left {};
  struct stat right {};
  return ::stat(a.c_str(), &left) == 0 && ::stat(b.c_str(), &right) == 0 &&
         left.st_dev == right.st_dev && left.st_ino == right.st_ino;
}

// Before Linux 6.5 the number alone is known; then it is looked at twice.
UniqueFd pidfd_of(int connection, pid_t pid) {
  int fd = -1;
  socklen_t size = sizeof(fd);
  if (::getsockopt(connection, SOL_SOCKET, kPeerPidfd, &fd, &size) == 0) return UniqueFd(fd);
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

}  // namespace

Result<Caller> identify_peer(int connection) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (::getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
    return fail_errno("ask who is there");
  const UniqueFd process = pidfd_of(connection, peer.pid);
  if (!process || peer.pid <= 0) return fail(Errc::kDenied, "the caller is gone");
  const std::string folder = "/proc/" + std::to_string(peer.pid);
  for (const char* what : {"/ns/mnt", "/ns/user", "/root"})
    if (!is_same_file(folder + what, std::string("/proc/self") + what))
      return fail(Errc::kDenied, "callers in another container or root folder are not served");
  // Still the same process: so it was the one that was looked at.
  if (::syscall(SYS_pidfd_send_signal, process.get(), 0, nullptr, 0) != 0 && errno == ESRCH)
    return fail(Errc::kDenied, "the caller is gone");
  Caller caller{peer.uid, peer.gid, {}};
  std::array<gid_t, kMaxGroups> groups{};
  size = sizeof(groups);
  if (::getsockopt(connection, SOL_SOCKET, kPeerGroups, groups.data(), &size) != 0)
    return fail(Errc::kDenied, "the caller has more than 64 groups");
  caller.groups.assign(groups.begin(), groups.begin() + size / sizeof(gid_t));
  return caller;
}

}  // namespace aispm::sandbox
