// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "sdk/core/common/unique_fd.hpp"
#include "tests/kernel/watch.hpp"

namespace aispm::sensor::kernel_test {
namespace {

using testing::SizeIs;

struct Socket {
  UniqueFd fd;
  std::uint16_t port = 0;
};

sockaddr_in6 make_v6(const char* host, std::uint16_t port) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  EXPECT_EQ(::inet_pton(AF_INET6, host, &address.sin6_addr), 1);
  return address;
}

sockaddr_in make_v4(const char* host, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  EXPECT_EQ(::inet_pton(AF_INET, host, &address.sin_addr), 1);
  return address;
}

template <typename T>
std::uint16_t own_port(int fd, T like) {
  socklen_t size = sizeof(like);
  EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&like), &size), 0);
  if constexpr (std::is_same_v<T, sockaddr_in6>)
    return ntohs(like.sin6_port);
  else
    return ntohs(like.sin_port);
}

template <typename T>
Socket bind_to(T address) {
  Socket socket{UniqueFd(
      ::socket(reinterpret_cast<sockaddr*>(&address)->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0))};
  EXPECT_EQ(::bind(socket.fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  socket.port = own_port(socket.fd.get(), address);
  return socket;
}

template <typename T>
Socket listen_on(T address, int backlog = 8) {
  Socket socket = bind_to(address);
  EXPECT_EQ(::listen(socket.fd.get(), backlog), 0);
  return socket;
}

template <typename T>
Socket connect_to(T address, int flags = 0) {
  Socket socket{UniqueFd(::socket(reinterpret_cast<sockaddr*>(&address)->sa_family,
                                  SOCK_STREAM | SOCK_CLOEXEC | flags, 0))};
  (void)::connect(socket.fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address));
  socket.port = own_port(socket.fd.get(), address);
  return socket;
}

std::uint64_t cookie_of(const UniqueFd& fd) {
  std::uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  EXPECT_EQ(::getsockopt(fd.get(), SOL_SOCKET, SO_COOKIE, &cookie, &size), 0);
  return cookie;
}

class NetworkTest : public KernelTest {
 protected:
  Listen listen_at(std::uint16_t port) {
    Listen found;
    EXPECT_TRUE(watch_->until([&] {
      for (const Listen& listen : watch_->of<Listen>(self_))
        if (listen.socket.source.port == port) {
          found = listen;
          return true;
        }
      return false;
    })) << "no listen was seen";
    return found;
  }
  std::vector<Connect> connects_to(std::uint16_t port) {
    std::vector<Connect> found;
    for (const Connect& connect : watch_->of<Connect>(self_))
      if (connect.socket.destination.port == port) found.push_back(connect);
    return found;
  }
  Connect connect_at(std::uint16_t port) {
    EXPECT_TRUE(watch_->until([&] { return !connects_to(port).empty(); })) << "no connect was seen";
    watch_->settle();
    const auto found = connects_to(port);
    EXPECT_THAT(found, SizeIs(1));
    return found.empty() ? Connect{} : found.front();
  }
};

TEST_F(NetworkTest, ListenOnV4IsSeenWithAddressPortAndProcess) {
  const Socket server = listen_on(make_v4("127.0.0.1", 0));
  const Listen seen = listen_at(server.port);
  EXPECT_EQ(seen.socket.source.host_text(), "127.0.0.1");
  EXPECT_FALSE(seen.socket.source.is_v6);
  EXPECT_EQ(seen.socket.cookie, cookie_of(server.fd));
  EXPECT_EQ(seen.actor.uid, ::getuid());
  EXPECT_GT(seen.actor.id.start.nanoseconds, 0U);
}

TEST_F(NetworkTest, ListenOnAllAddressesOfV6IsSeen) {
  const Socket server = listen_on(make_v6("::", 0));
  const Listen seen = listen_at(server.port);
  EXPECT_EQ(seen.socket.source.host_text(), "::");
  EXPECT_TRUE(seen.socket.source.is_v6);
}

TEST_F(NetworkTest, ConnectToV4IsSeenWithBothEnds) {
  const Socket server = listen_on(make_v4("127.0.0.1", 0));
  const BootTime before = boot_now();
  const Socket client = connect_to(make_v4("127.0.0.1", server.port));
  const Connect seen = connect_at(server.port);
  EXPECT_EQ(seen.outcome, ConnectOutcome::kEstablished);
  EXPECT_EQ(seen.socket.destination.host_text(), "127.0.0.1");
  EXPECT_EQ(seen.socket.source.host_text(), "127.0.0.1");
  EXPECT_EQ(seen.socket.source.port, client.port);
  EXPECT_EQ(seen.socket.cookie, cookie_of(client.fd));
  EXPECT_GE(seen.time, before);
  EXPECT_LE(seen.time, boot_now());
  EXPECT_EQ(seen.actor.parent.pid, static_cast<std::uint32_t>(::getppid()));
}

TEST_F(NetworkTest, ConnectToV6IsSeenWithBothEnds) {
  if (::access("/proc/net/if_inet6", R_OK) != 0) GTEST_SKIP() << "this host has no IPv6";
  const Socket server = listen_on(make_v6("::1", 0));
  const Socket client = connect_to(make_v6("::1", server.port));
  const Connect seen = connect_at(server.port);
  EXPECT_EQ(seen.outcome, ConnectOutcome::kEstablished);
  EXPECT_EQ(seen.socket.destination.host_text(), "::1");
  EXPECT_EQ(seen.socket.source.host_text(), "::1");
  EXPECT_EQ(seen.socket.source.port, client.port);
  EXPECT_TRUE(seen.socket.destination.is_v6);
}

TEST_F(NetworkTest, ConnectToAV4AddressThroughAV6SocketReadsAsV4) {
  const Socket server = listen_on(make_v4("127.0.0.1", 0));
  const Socket client = connect_to(make_v6("::ffff:127.0.0.1", server.port));
  const Connect seen = connect_at(server.port);
  EXPECT_EQ(seen.outcome, ConnectOutcome::kEstablished);
  EXPECT_EQ(seen.socket.destination.host_text(), "127.0.0.1");
  EXPECT_EQ(seen.socket.source.port, client.port);
}

TEST_F(NetworkTest, RefusedConnectIsSeenAsFailed) {
  const Socket bound = bind_to(make_v4("127.0.0.1", 0));  // nobody listens there
  const Socket client = connect_to(make_v4("127.0.0.1", bound.port));
  const Connect seen = connect_at(bound.port);
  EXPECT_EQ(seen.outcome, ConnectOutcome::kFailed);
  EXPECT_EQ(seen.socket.destination.host_text(), "127.0.0.1");
}

// A full accept queue drops SYNs, as a firewall would.
TEST_F(NetworkTest, UnansweredConnectIsSeenAsPendingWithinTwoSeconds) {
  const Socket server = listen_on(make_v4("127.0.0.1", 0), 0);
  std::vector<Socket> filling;
  for (int i = 0; i < 4; ++i)
    filling.push_back(connect_to(make_v4("127.0.0.1", server.port), SOCK_NONBLOCK));
  EXPECT_TRUE(watch_->until([&] {
    for (const Connect& connect : connects_to(server.port))
      if (connect.outcome == ConnectOutcome::kPending) return connect.latency_us < 2'000'000;
    return false;
  }));
}

TEST_F(NetworkTest, AcceptedConnectionsAreNotConnects) {
  const Socket server = listen_on(make_v4("127.0.0.1", 0));
  const Socket client = connect_to(make_v4("127.0.0.1", server.port));
  const UniqueFd accepted(::accept4(server.fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
  connect_at(server.port);
  EXPECT_THAT(connects_to(client.port), SizeIs(0));
}

}  // namespace
}  // namespace aispm::sensor::kernel_test
