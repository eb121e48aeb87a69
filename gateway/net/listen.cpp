// SPDX-License-Identifier: Apache-2.0
#include "gateway/net/listen.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <array>
#include <charconv>
#include <cstring>

#include "sdk/core/common/file.hpp"

namespace aispm::net {
namespace {

constexpr int kBacklog = 4096;

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

Result<Address> make_address(const Endpoint& endpoint) {
  Address address;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (::inet_pton(AF_INET, endpoint.address.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(endpoint.port);
    address.size = sizeof *v4;
  } else if (::inet_pton(AF_INET6, endpoint.address.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(endpoint.port);
    address.size = sizeof *v6;
  } else {
    return fail(Errc::kInvalid, "'" + endpoint.address + "' is not an IP address");
  }
  return address;
}

Result<UniqueFd> bind_tcp(const Address& address, bool share) {
  UniqueFd fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail_errno("socket");
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (share) ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (::bind(fd.get(), address.get(), address.size) != 0) return fail_errno("bind");
  return fd;
}

Result<UniqueFd> make_unix_socket() {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail_errno("socket");
  return fd;
}

}  // namespace

Result<Endpoint> parse_endpoint(const std::string& text) {
  const auto bad = [&] {
    return fail(Errc::kInvalid,
                "'" + text + "' is no address and port; allowed: 127.0.0.1:8088 or [::1]:8088");
  };
  const auto colon = text.rfind(':');
  if (colon == std::string::npos) return bad();
  Endpoint endpoint{.address = text.substr(0, colon), .port = 0};
  if (endpoint.address.starts_with('[') && endpoint.address.ends_with(']'))
    endpoint.address = endpoint.address.substr(1, endpoint.address.size() - 2);
  const char* last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data() + colon + 1, last, endpoint.port);
  if (error != std::errc{} || end != last || !make_address(endpoint)) return bad();
  return endpoint;
}

std::uint16_t local_port(const UniqueFd& socket) {
  Address address;
  address.size = sizeof address.storage;
  ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address.storage), &address.size);
  const bool v4 = address.storage.ss_family == AF_INET;
  return ntohs(v4 ? reinterpret_cast<sockaddr_in*>(&address.storage)->sin_port
                  : reinterpret_cast<sockaddr_in6*>(&address.storage)->sin6_port);
}

Result<std::vector<UniqueFd>> listen_tcp(const Endpoint& endpoint, unsigned count) {
  const auto taken = [&](const Error& error) {
    return fail(Errc::kUnavailable,
                "cannot listen on " + endpoint.address + ":" + std::to_string(endpoint.port) +
                    ": " + error.message,
                error.system_errno);
  };
  AISPM_TRY(Address address, make_address(endpoint));
  if (count > 1 && endpoint.port != 0) {
    // SO_REUSEPORT would let us share a port with another gateway of the same user: ask without it
    // first.
    if (auto alone = bind_tcp(address, false); !alone) return taken(alone.error());
  }
  std::vector<UniqueFd> sockets;
  for (unsigned i = 0; i < count; ++i) {
    auto fd = bind_tcp(address, count > 1);
    if (!fd) return taken(fd.error());
    if (::listen(fd->get(), kBacklog) != 0) return taken(fail_errno("listen").value());
    if (endpoint.port == 0 && i == 0) {
      AISPM_TRY(address, make_address({.address = endpoint.address, .port = local_port(*fd)}));
    }
    sockets.push_back(std::move(*fd));
  }
  return sockets;
}

Result<UniqueFd> listen_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return fail(Errc::kInvalid, path + ": longer than a socket path may be (107 bytes)");
  std::memcpy(address.sun_path, path.c_str(), path.size());
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  if (const auto slash = path.rfind('/'); slash != std::string::npos && slash > 0)
    AISPM_CHECK(make_directories(path.substr(0, slash), 0755));
  {
    AISPM_TRY(const UniqueFd probe, make_unix_socket());
    if (::connect(probe.get(), generic, sizeof address) == 0 || errno == EAGAIN)
      return fail(Errc::kUnavailable, path + ": another program serves this socket");
  }
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0) {
    if (!S_ISSOCK(status.st_mode)) return fail(Errc::kExists, path + ": exists and is no socket");
    if (::unlink(path.c_str()) != 0) return fail_errno("unlink " + path);
  }
  AISPM_TRY(UniqueFd fd, make_unix_socket());
  if (::bind(fd.get(), generic, sizeof address) != 0) return fail_errno("bind " + path);
  if (::chmod(path.c_str(), 0666) != 0) return fail_errno("chmod " + path);
  if (::listen(fd.get(), kBacklog) != 0) return fail_errno("listen " + path);
  return fd;
}

Result<PeerUser> peer_user(int socket) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
    return fail_errno("SO_PEERCRED");
  PeerUser user{.uid = credentials.uid, .name = "uid-" + std::to_string(credentials.uid)};
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 4096> space;
  if (::getpwuid_r(credentials.uid, &entry, space.data(), space.size(), &found) == 0 && found)
    user.name = found->pw_name;
  return user;
}

}  // namespace aispm::net
