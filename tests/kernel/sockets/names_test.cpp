// SPDX-License-Identifier: Apache-2.0
// Names that real packets carry.
#include <gmock/gmock.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "sdk/core/common/file.hpp"
#include "sensor/correlate/name_tracker.hpp"
#include "tests/kernel/sockets/loopback.hpp"
#include "tests/kernel/watch.hpp"
#include "tests/support/client_hello.hpp"
#include "tests/support/dns_message.hpp"

namespace aispm::sensor::kernel_test {
namespace {

using testing::SizeIs;

class NamesTest : public KernelTest {
 protected:
  // All names that a process's packets gave so far.
  std::vector<SeenName> names_of(std::uint32_t pid) {
    NameTracker tracker;
    std::vector<SeenName> names;
    for (const NameBytes& bytes : watch_->of<NameBytes>(pid))
      tracker.take(bytes, [&](SeenName name) { names.push_back(std::move(name)); });
    return names;
  }
  std::vector<SeenName> wait_for_names(std::uint32_t pid, std::size_t count) {
    EXPECT_TRUE(watch_->until([&] { return names_of(pid).size() >= count; }));
    watch_->settle();
    return names_of(pid);
  }
};

TEST_F(NamesTest, TlsHelloNamesTheHostOfItsConnection) {
  const std::string hello = test::make_client_hello("api.openai.com", std::string("\2h2", 3));
  TcpPair pair;
  carry(pair.client.get(), pair.server.get(), hello);
  const auto names = wait_for_names(self_, 1);
  ASSERT_THAT(names, SizeIs(1));
  EXPECT_EQ(names[0].name, "api.openai.com");
  EXPECT_EQ(names[0].alpn, "h2");
  EXPECT_EQ(names[0].source, NameSource::kSni);
  ASSERT_TRUE(names[0].socket);
  EXPECT_EQ(names[0].socket->destination.port, pair.port);
  EXPECT_EQ(names[0].socket->source.port, port_of(pair.client));
  EXPECT_EQ(names[0].actor.id.pid, self_);
}

// As browsers with post-quantum key shares send it.
TEST_F(NamesTest, TlsHelloInTwoOrThreeSegmentsIsOneName) {
  std::string protocols;
  for (int i = 0; i < 7; ++i) protocols += '\xf0' + std::string(240, static_cast<char>('a' + i));
  const std::string hello = test::make_client_hello("api.anthropic.com", protocols);
  ASSERT_GT(hello.size(), 1700U);
  for (const std::size_t cut : {std::size_t{100}, std::size_t{1400}}) {
    watch_->forget();
    TcpPair pair;
    carry(pair.client.get(), pair.server.get(), hello.substr(0, cut));
    carry(pair.client.get(), pair.server.get(), hello.substr(cut, 200));
    carry(pair.client.get(), pair.server.get(), hello.substr(cut + 200));
    const auto names = wait_for_names(self_, 1);
    ASSERT_THAT(names, SizeIs(1)) << cut;
    EXPECT_EQ(names[0].name, "api.anthropic.com");
  }
}

TEST_F(NamesTest, HelloBehindAProxysConnectIsSeen) {
  TcpPair pair;
  carry(pair.client.get(), pair.server.get(), "CONNECT api.openai.com:443 HTTP/1.1\r\n\r\n");
  carry(pair.server.get(), pair.client.get(), "HTTP/1.1 200 OK\r\n\r\n");
  carry(pair.client.get(), pair.server.get(), test::make_client_hello("api.openai.com"));
  ASSERT_THAT(wait_for_names(self_, 1), SizeIs(1));
}

TEST_F(NamesTest, QuicInitialNamesItsHost) {
  const auto datagram =
      read_file(std::string(AISPM_SOURCE_DIR) + "/tests/fixtures/quic/single.bin", 2048);
  if (!datagram) GTEST_SKIP() << "tests/fixtures is not here";
  const UniqueFd client(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback(443, "127.0.0.7");
  ASSERT_EQ(::sendto(client.get(), datagram->data(), datagram->size(), 0,
                     reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
            static_cast<ssize_t>(datagram->size()));
  const auto names = wait_for_names(self_, 1);
  ASSERT_THAT(names, SizeIs(1));
  EXPECT_EQ(names[0].name, "api.openai.com");
  EXPECT_EQ(names[0].source, NameSource::kQuic);
  EXPECT_EQ(names[0].socket->destination.host_text(), "127.0.0.7");
  std::size_t connects = 0;
  for (const Connect& one : watch_->of<Connect>(self_))
    connects += one.transport == Transport::kUdp && one.socket.destination.port == 443;
  EXPECT_EQ(connects, 1U);
}

// Asks itself for a name, in a network namespace of its own: port 53 of the host is not ours.
int resolve_in_own_namespace() {
  if (::unshare(CLONE_NEWNET) != 0) return 77;
  const UniqueFd control(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq up{};
  up.ifr_name[0] = 'l';
  up.ifr_name[1] = 'o';
  up.ifr_flags = IFF_UP | IFF_RUNNING;
  if (::ioctl(control.get(), SIOCSIFFLAGS, &up) != 0) return 78;
  const UniqueFd server = bound(SOCK_DGRAM, 53);
  const UniqueFd client(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback(53);
  const std::string question = test::dns_question("api.deepseek.com");
  if (::sendto(client.get(), question.data(), question.size(), 0,
               reinterpret_cast<const sockaddr*>(&address), sizeof(address)) < 0)
    return 79;
  char buffer[512];
  sockaddr_in from{};
  socklen_t size = sizeof(from);
  if (::recvfrom(server.get(), buffer, sizeof(buffer), 0, reinterpret_cast<sockaddr*>(&from),
                 &size) <= 0)
    return 80;
  const std::string answer =
      test::dns_answer("api.deepseek.com", test::dns_record(1, std::string("\xc0\0\2\7", 4)), 1);
  if (::sendto(server.get(), answer.data(), answer.size(), 0,
               reinterpret_cast<const sockaddr*>(&from), size) < 0)
    return 81;
  return ::recv(client.get(), buffer, sizeof(buffer), 0) > 0 ? 0 : 82;
}

// SEN-010
TEST_F(NamesTest, DnsQuestionAndAnswerAreSeenWithTheProcessThatAsked) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(resolve_in_own_namespace());
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "no network namespaces here";
  ASSERT_EQ(WEXITSTATUS(status), 0);
  const auto names = wait_for_names(static_cast<std::uint32_t>(child), 2);
  ASSERT_THAT(names, SizeIs(2));
  EXPECT_EQ(names[0].name, "api.deepseek.com");
  EXPECT_THAT(names[0].addresses, SizeIs(0));
  EXPECT_EQ(names[1].source, NameSource::kDns);
  ASSERT_THAT(names[1].addresses, SizeIs(1));
  EXPECT_EQ(names[1].addresses[0].host_text(), "192.0.2.7");
}

}  // namespace
}  // namespace aispm::sensor::kernel_test
