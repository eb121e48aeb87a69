// SPDX-License-Identifier: Apache-2.0
#include "sensor/enforce/host.hpp"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <charconv>
#include <cstdio>
#include <cstring>
#include <memory>

#include "sdk/core/common/c_ptr.hpp"
#include "sdk/core/common/file.hpp"
#include "sensor/capture/proc_text.hpp"

namespace aispm::sensor {
namespace {

constexpr std::uint64_t kTickNanoseconds = 10'000'000;
constexpr std::uint64_t kFirstPidNamespace = 0xEFFFFFFC;  // PROC_PID_INIT_INO, since 3.8
constexpr std::size_t kMaxStatBytes = 4096;
constexpr std::size_t kMaxPasswdBytes = 4U << 20;

std::optional<ProtectedEndpoint> peer_of(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return std::nullopt;
  ProtectedEndpoint peer;
  if (address.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address, sizeof(v4));
    peer.port = ntohs(v4.sin_port);
    std::memcpy(peer.address.data(), &v4.sin_addr, 4);
    return peer;
  }
  if (address.ss_family != AF_INET6) return std::nullopt;
  sockaddr_in6 v6{};
  std::memcpy(&v6, &address, sizeof(v6));
  peer.is_v6 = true;
  peer.port = ntohs(v6.sin6_port);
  std::memcpy(peer.address.data(), &v6.sin6_addr, 16);
  return peer;
}

std::optional<OpenSocket> describe(int fd) {
  int family = 0;
  socklen_t size = sizeof(family);
  if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) != 0 ||
      (family != AF_INET && family != AF_INET6))
    return std::nullopt;
  OpenSocket socket;
  size = sizeof(socket.cookie);
  if (::getsockopt(fd, SOL_SOCKET, SO_COOKIE, &socket.cookie, &size) != 0) return std::nullopt;
  socket.peer = peer_of(fd);
  return socket;
}

}  // namespace

std::optional<std::uint64_t> find_cgroup(const std::string& root, const std::string& path) {
  // The id is the inode number of the folder (64-bit kernels).
  if (path.find("..") != std::string::npos) return std::nullopt;
  struct stat found {};
  const std::string whole = root + (path.starts_with('/') ? "" : "/") + path;
  if (::stat(whole.c_str(), &found) != 0 || !S_ISDIR(found.st_mode)) return std::nullopt;
  return found.st_ino;
}

std::optional<std::uint32_t> find_uid(const std::string& user) {
  const auto number = [](std::string_view text) -> std::optional<std::uint32_t> {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
  };
  if (const auto uid = number(user)) return uid;
  const auto passwd = read_file("/etc/passwd", kMaxPasswdBytes);
  if (!passwd) return std::nullopt;
  const std::string start = user + ":";
  for (std::size_t line = 0; line < passwd->size();) {
    const std::size_t end = std::min(passwd->find('\n', line), passwd->size());
    const std::string_view text = std::string_view(*passwd).substr(line, end - line);
    line = end + 1;
    if (!text.starts_with(start)) continue;
    const auto password = text.find(':', start.size());
    if (password == std::string_view::npos) return std::nullopt;
    const auto uid = text.substr(password + 1);
    return number(uid.substr(0, uid.find(':')));
  }
  return std::nullopt;
}

UniqueFd open_process(const model::ProcessId& id) {
  UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, id.pid, 0)));
  if (!process) return process;
  // Looked at after the handle was taken: if it is the right one now, the handle is of it.
  const auto text = read_file("/proc/" + std::to_string(id.pid) + "/stat", kMaxStatBytes);
  const auto stat = text ? parse_stat(*text) : std::nullopt;
  if (!stat || stat->start_ticks != id.start.nanoseconds / kTickNanoseconds) return UniqueFd();
  return process;
}

bool sees_all_processes() {
  struct stat found {};
  return ::stat("/proc/self/ns/pid", &found) == 0 && found.st_ino == kFirstPidNamespace;
}

std::vector<OpenSocket> list_sockets(const UniqueFd& process, std::uint32_t pid) {
  std::vector<OpenSocket> sockets;
  const std::string folder = "/proc/" + std::to_string(pid) + "/fd";
  const std::unique_ptr<DIR, CFree<::closedir>> entries(::opendir(folder.c_str()));
  if (!entries) return sockets;
  while (const dirent* entry = ::readdir(entries.get())) {
    const std::string_view name = entry->d_name;
    int number = 0;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), number);
    if (parsed.ec != std::errc() || parsed.ptr != name.data() + name.size()) continue;
    struct stat found {};
    if (::stat((folder + "/" + std::string(name)).c_str(), &found) != 0 || !S_ISSOCK(found.st_mode))
      continue;
    const UniqueFd copy(static_cast<int>(::syscall(SYS_pidfd_getfd, process.get(), number, 0)));
    if (!copy) continue;
    if (const auto socket = describe(copy.get())) sockets.push_back(*socket);
  }
  return sockets;
}

}  // namespace aispm::sensor
