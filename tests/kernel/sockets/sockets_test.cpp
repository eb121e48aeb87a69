// SPDX-License-Identifier: Apache-2.0
// What sockets carried, those that were there before, and UDP.
#include <gmock/gmock.h>
#include <sys/wait.h>

#include "tests/kernel/sockets/loopback.hpp"
#include "tests/kernel/watch.hpp"

namespace aispm::sensor::kernel_test {
namespace {

using testing::SizeIs;

class SocketsTest : public KernelTest {
 protected:
  std::vector<SocketBytes> totals_of(std::uint16_t source, std::uint16_t destination) {
    std::vector<SocketBytes> found;
    for (const SocketBytes& one : watch_->of<SocketBytes>(self_))
      if (one.socket.source.port == source && one.socket.destination.port == destination)
        found.push_back(one);
    return found;
  }
};

TEST_F(SocketsTest, TotalsAtCloseAreWhatWasSentInEachDirection) {
  for (const std::size_t size : {1U, 1000U, 300'000U}) {
    TcpPair pair;
    const std::uint16_t client_port = port_of(pair.client);
    carry(pair.client.get(), pair.server.get(), stamped(size));
    carry(pair.server.get(), pair.client.get(), stamped(size / 2 + 3));
    pair.client.reset();
    pair.server.reset();
    ASSERT_TRUE(watch_->until([&] {
      return !totals_of(client_port, pair.port).empty() &&
             !totals_of(pair.port, client_port).empty();
    }));
    const SocketBytes client = totals_of(client_port, pair.port).at(0);
    EXPECT_EQ(client.sent_bytes, size);
    EXPECT_EQ(client.received_bytes, size / 2 + 3);
    EXPECT_TRUE(client.saw_from_start);
    EXPECT_FALSE(client.is_accepted);
    EXPECT_FALSE(client.is_open);
    EXPECT_NE(client.socket.cookie, 0U);
    const SocketBytes server = totals_of(pair.port, client_port).at(0);
    EXPECT_EQ(server.sent_bytes, size / 2 + 3);
    EXPECT_EQ(server.received_bytes, size);
    EXPECT_TRUE(server.is_accepted);
  }
}

TEST_F(SocketsTest, TotalsAreExactWhoeverClosesFirst) {
  TcpPair pair;
  const std::uint16_t client_port = port_of(pair.client);
  carry(pair.client.get(), pair.server.get(), stamped(77));
  pair.server.reset();
  pair.client.reset();
  ASSERT_TRUE(watch_->until([&] { return !totals_of(client_port, pair.port).empty(); }));
  EXPECT_EQ(totals_of(client_port, pair.port).at(0).sent_bytes, 77U);
  EXPECT_EQ(totals_of(client_port, pair.port).at(0).received_bytes, 0U);
}

TEST_F(SocketsTest, AcceptedSocketBelongsToTheWorkerThatClosesIt) {
  UniqueFd listener = bound(SOCK_STREAM);
  ASSERT_EQ(::listen(listener.get(), 8), 0);
  const std::uint16_t port = port_of(listener);
  const pid_t worker = ::fork();
  if (worker == 0) {
    const UniqueFd accepted(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    char c = 0;
    if (::read(accepted.get(), &c, 1) < 0) ::_exit(1);
    ::_exit(0);
  }
  {
    const UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = loopback(port);
    ASSERT_EQ(::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
              0);
    send_all(client.get(), "x");
    ::waitpid(worker, nullptr, 0);
  }
  EXPECT_TRUE(watch_->until([&] {
    const auto totals = watch_->of<SocketBytes>(static_cast<std::uint32_t>(worker));
    return totals.size() == 1 && totals[0].is_accepted && totals[0].received_bytes == 1;
  }));
}

TEST_F(SocketsTest, UdpListenerIsSeenWithItsPort) {
  std::uint16_t port = 0;
  UniqueFd socket;
  for (std::uint16_t candidate = 20011; candidate < 20100 && port == 0; ++candidate) {
    socket.reset(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = loopback(candidate);
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0)
      port = candidate;
  }
  ASSERT_NE(port, 0);
  EXPECT_TRUE(watch_->until([&] {
    for (const Listen& one : watch_->of<Listen>(self_))
      if (one.socket.source.port == port && one.transport == Transport::kUdp)
        return one.socket.source.host_text() == "127.0.0.1";
    return false;
  }));
}

TEST_F(SocketsTest, UdpConnectionIsSeenOnceAtItsFirstDatagram) {
  const UniqueFd server = bound(SOCK_DGRAM);
  const std::uint16_t port = port_of(server);
  const UniqueFd client(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback(port);
  ASSERT_EQ(::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
            0);
  const auto seen = [&] {
    std::vector<Connect> found;
    for (const Connect& one : watch_->of<Connect>(self_))
      if (one.socket.destination.port == port && one.transport == Transport::kUdp)
        found.push_back(one);
    return found;
  };
  watch_->settle();
  EXPECT_THAT(seen(), SizeIs(0));  // connect() of UDP sends nothing
  for (int i = 0; i < 3; ++i) send_all(client.get(), "datagram");
  ASSERT_TRUE(watch_->until([&] { return !seen().empty(); }));
  watch_->settle();
  EXPECT_THAT(seen(), SizeIs(1));
}

// What runs before the sensor does.
TEST(InitialState, ListenersAndConnectionsThatWereThereAreSeen) {
  TcpPair pair;
  const std::uint16_t client_port = port_of(pair.client);
  const auto watch = Watch::open();
  if (watch == nullptr) GTEST_SKIP() << Watch::why_not();
  const auto self = static_cast<std::uint32_t>(::getpid());
  EXPECT_TRUE(watch->until([&] {
    for (const Listen& one : watch->of<Listen>(self))
      if (one.socket.source.port == pair.port) return one.actor.id.start.nanoseconds > 0;
    return false;
  }));
  EXPECT_TRUE(watch->until([&] {
    for (const Connect& one : watch->of<Connect>(self))
      if (one.socket.source.port == client_port) return one.socket.destination.port == pair.port;
    return false;
  }));
  for (const Connect& one : watch->of<Connect>(self))
    EXPECT_NE(one.socket.source.port, pair.port) << "an accepted connection is no connect";
  carry(pair.client.get(), pair.server.get(), "later");
  pair.client.reset();
  EXPECT_TRUE(watch->until([&] {
    for (const SocketBytes& one : watch->of<SocketBytes>(self))
      if (one.socket.source.port == client_port) return one.sent_bytes == 5 && !one.saw_from_start;
    return false;
  }));
}

TEST(OpenSockets, TotalsOfOpenConnectionsAreToldWhenTheyGrew) {
  auto maps = SharedMaps::open({});
  if (!maps) GTEST_SKIP() << maps.error().message;
  auto network = NetworkTracepoints::open(*maps);
  if (!network) GTEST_SKIP() << network.error().message;
  TcpPair pair;
  const std::uint16_t client_port = port_of(pair.client);
  carry(pair.client.get(), pair.server.get(), stamped(5000));
  const auto totals = [&] {
    std::vector<SocketBytes> found;
    const auto reported = network->report_open([&](std::span<const std::byte> bytes) {
      auto record = decode_record(bytes);
      ASSERT_TRUE(record);
      if (const auto* one = std::get_if<SocketBytes>(&*record);
          one != nullptr && one->socket.source.port == client_port)
        found.push_back(*one);
    });
    EXPECT_TRUE(reported);
    return found;
  };
  const auto first = totals();
  ASSERT_THAT(first, SizeIs(1));
  EXPECT_TRUE(first[0].is_open);
  EXPECT_EQ(first[0].sent_bytes, 5000U);
  EXPECT_THAT(totals(), SizeIs(0));
  carry(pair.client.get(), pair.server.get(), "more");
  ASSERT_THAT(totals(), SizeIs(1));
}

}  // namespace
}  // namespace aispm::sensor::kernel_test
