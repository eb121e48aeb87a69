// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/observe/dependency_probe.hpp"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include "sdk/core/common/c_ptr.hpp"
#include "sdk/core/common/unique_fd.hpp"

namespace aispm::gateway {
namespace {

using Addresses = CPtr<addrinfo, ::freeaddrinfo>;

Result<> connect_to(const addrinfo& address, std::chrono::milliseconds limit) {
  const UniqueFd fd(
      ::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!fd) return fail_errno("socket");
  if (::connect(fd.get(), address.ai_addr, address.ai_addrlen) == 0) return {};
  if (errno != EINPROGRESS) return fail_errno("connect");
  pollfd wait{.fd = fd.get(), .events = POLLOUT, .revents = 0};
  if (::poll(&wait, 1, static_cast<int>(limit.count())) <= 0)
    return fail(Errc::kUnavailable, "connect: timed out");
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0)
    return fail_errno("getsockopt");
  errno = error;
  if (error != 0) return fail_errno("connect");
  return {};
}

}  // namespace

Result<> try_connect(const std::string& host, std::uint16_t port, std::chrono::milliseconds limit) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (error != 0) return fail(Errc::kUnavailable, std::string("resolve: ") + ::gai_strerror(error));
  const Addresses addresses(found);
  Result<> last = fail(Errc::kUnavailable, "the name has no address");
  for (const addrinfo* one = addresses.get(); one != nullptr; one = one->ai_next) {
    last = connect_to(*one, limit);
    if (last) return {};
  }
  return last;
}

DependencyProbe::DependencyProbe(Suspects suspects)
    : suspects_(std::move(suspects)), thread_([this] { run(); }) {}

DependencyProbe::~DependencyProbe() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

std::map<std::string, std::string> DependencyProbe::unreachable() const {
  const std::lock_guard lock(mutex_);
  return unreachable_;
}

void DependencyProbe::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    std::map<std::string, std::string> found;
    for (const Target& target : suspects_())
      if (const auto connected = try_connect(target.host, target.port, kConnect); !connected)
        found[target.name] = connected.error().message;
    lock.lock();
    unreachable_ = std::move(found);
    wake_.wait_for(lock, kEvery, [this] { return stopping_; });
  }
}

}  // namespace aispm::gateway
