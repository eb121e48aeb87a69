// SPDX-License-Identifier: Apache-2.0
// Names in TLS hellos, and connections that are cut.
#include <netinet/tcp.h>

#include "tests/kernel/enforce/fixture.hpp"

namespace aispm::sensor::kernel_test {
namespace {

using model::Order;
using model::OrderAction;

void put16(std::string& out, std::size_t value) {
  out += static_cast<char>(value >> 8);
  out += static_cast<char>(value & 0xff);
}

// A ClientHello with this name behind an extension of `filler` bytes, as post-quantum ones have.
std::string make_hello(const std::string& name, std::size_t filler) {
  std::string extensions;
  put16(extensions, 51);  // key_share
  put16(extensions, filler);
  extensions += std::string(filler, 'k');
  put16(extensions, 0);  // server_name
  put16(extensions, name.size() + 5);
  put16(extensions, name.size() + 3);
  extensions += '\0';
  put16(extensions, name.size());
  extensions += name;
  put16(extensions, 16);  // something after it
  put16(extensions, 0);
  std::string body("\x03\x03", 2);
  body += std::string(32, 'r');
  body += '\x20' + std::string(32, 's');
  put16(body, 2);
  put16(body, 0x1301);
  body += std::string("\x01\x00", 2);
  put16(body, extensions.size());
  body += extensions;
  std::string hello("\x16\x03\x01", 3);
  put16(hello, body.size() + 4);
  hello += std::string("\x01\x00", 2);
  put16(hello, body.size());
  return hello + body;
}

// Sends pieces over a new connection; whether the server got all of it.
bool arrives(
    const Server& server, const std::vector<std::string>& pieces,
    const std::function<void(int)>& between = [](int) {}) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(server.port);
  ::inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  const UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int now = 1;
  ::setsockopt(client.get(), IPPROTO_TCP, TCP_NODELAY, &now, sizeof(now));
  if (::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
    return false;
  const UniqueFd accepted(::accept4(server.fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
  std::size_t wanted = 0;
  std::size_t got = 0;
  for (const std::string& piece : pieces) {
    wanted += piece.size();
    if (::send(client.get(), piece.data(), piece.size(), MSG_NOSIGNAL) < 0) return false;
    char buffer[8192];
    pollfd waiting{accepted.get(), POLLIN, 0};
    while (got < wanted && ::poll(&waiting, 1, 400) == 1) {
      const ssize_t size = ::read(accepted.get(), buffer, sizeof(buffer));
      if (size <= 0) return false;
      got += static_cast<std::size_t>(size);
    }
    between(client.get());
  }
  return got == wanted;
}

class HelloTest : public EnforceTest {
 protected:
  // 0 = all arrived, 1 = not.
  int ask(const std::vector<std::string>& pieces) {
    const Server server;
    Child child([&](char) { return arrives(server, pieces) ? 0 : 1; });
    Order order = about(child, OrderAction::kBlock);
    order.match.domain = "blocked.example";
    put(order);
    const int answer = child.ask('h');
    undo(order);
    return answer;
  }
};

TEST_F(HelloTest, AHelloToABlockedNameDoesNotLeave) {
  if (!enforcer_) GTEST_SKIP() << why_;
  EXPECT_EQ(ask({make_hello("blocked.example", 32)}), 1);
  EXPECT_EQ(ask({make_hello("api.BLOCKED.example", 32)}), 1);
  EXPECT_EQ(ask({make_hello("notblocked.example", 32)}), 0);
  EXPECT_EQ(ask({make_hello("blocked.example.org", 32)}), 0);
  EXPECT_EQ(ask({make_hello(std::string(150, 'a') + ".blocked.example", 32)}), 1);
  EXPECT_EQ(ask({"GET / HTTP/1.1\r\n\r\n"}), 0);
}

// A key holds 119 letters and a dot; of more only the end counts.
TEST_F(HelloTest, NamesAroundTheLengthOfAKeyAreJudgedByTheirEnd) {
  if (!enforcer_) GTEST_SKIP() << why_;
  for (const std::size_t size : {118U, 119U, 120U, 121U, 253U}) {
    const auto named = [size](const std::string& end) {
      return make_hello(std::string(size - end.size(), 'a') + end, 32);
    };
    EXPECT_EQ(ask({named(".blocked.example")}), 1) << size;
    EXPECT_EQ(ask({named(".blocked-not.example")}), 0) << size;
  }
  EXPECT_EQ(ask({make_hello("", 32)}), 0);
}

TEST_F(HelloTest, AHelloInTwoSegmentsDoesNotLeaveWhole) {
  if (!enforcer_) GTEST_SKIP() << why_;
  const std::string blocked = make_hello("api.blocked.example", 1184);
  const std::string open = make_hello("api.open.example", 1184);
  EXPECT_EQ(ask({blocked.substr(0, 700), blocked.substr(700)}), 1);
  EXPECT_EQ(ask({open.substr(0, 700), open.substr(700)}), 0);
}

TEST_F(HelloTest, TheEventNamesTheServer) {
  if (!enforcer_) GTEST_SKIP() << why_;
  const Server server;
  Child child(
      [&](char) { return arrives(server, {make_hello("api.blocked.example", 32)}) ? 0 : 1; });
  Order order = about(child, OrderAction::kBlock);
  order.match.domain = "blocked.example";
  put(order);
  EXPECT_EQ(child.ask('h'), 1);
  EXPECT_TRUE(until([&](const aispm_enforced_event& event) {
    return event.act == AISPM_ACT_HELLO && event.flags == AISPM_ENFORCED_DENIED &&
           event.header.tgid == static_cast<std::uint32_t>(child.pid()) &&
           event.socket.destination_port == server.port &&
           std::string(event.name) == "elpmaxe.dekcolb.ipa.";
  }));
}

TEST_F(HelloTest, DataOfACutConnectionDoesNotLeaveAndOthersAreNotConcerned) {
  if (!enforcer_) GTEST_SKIP() << why_;
  const Server other;
  // The table of cuts is consulted while some order may mark connections.
  Order order;
  order.id = "content";
  order.action = OrderAction::kBlock;
  order.enforces = true;
  order.match.exe = "/nonexistent/program";
  order.detection = "secret";
  put(order);
  Child marker([&](char which) {
    const auto cut = [&](int client) {
      std::uint64_t cookie = 0;
      socklen_t size = sizeof(cookie);
      ::getsockopt(client, SOL_SOCKET, SO_COOKIE, &cookie, &size);
      if (which == 'c' && !enforcer_->cut(cookie, {}, true)) ::_exit(3);
    };
    return arrives(other, {"first", "second"}, cut) ? 0 : 1;
  });
  EXPECT_EQ(marker.ask('n'), 0);
  EXPECT_EQ(marker.ask('c'), 1);
  EXPECT_EQ(marker.ask('n'), 0);
}

TEST_F(HelloTest, QuarantineCutsWhatIsOpen) {
  if (!enforcer_) GTEST_SKIP() << why_;
  const Server server;
  int client = -1;
  Child child([&](char which) {
    if (which == 'o') {
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(server.port);
      ::inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
      client = ::socket(AF_INET, SOCK_STREAM, 0);
      return ::connect(client, reinterpret_cast<sockaddr*>(&address), sizeof(address));
    }
    return ::send(client, "data", 4, MSG_NOSIGNAL) == 4 ? 0 : errno;
  });
  ASSERT_EQ(child.ask('o'), 0);
  const UniqueFd accepted(::accept4(server.fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
  const Order order = about(child, OrderAction::kQuarantine);
  put(order);
  ASSERT_EQ(decider_->tables().to_cut.size(), 1U);
  const model::ProcessId id = *decider_->tables().to_cut.begin();
  const auto cut = enforcer_->cut_all(id, decider_->rule_of(order.id).raw, decider_->tables());
  ASSERT_TRUE(cut) << cut.error().message;
  EXPECT_EQ(*cut, 1U);
  child.ask('s');
  pollfd waiting{accepted.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&waiting, 1, 400), 0) << "data came through";
}

}  // namespace
}  // namespace aispm::sensor::kernel_test
