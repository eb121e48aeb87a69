// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/notifier.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstring>

#include "sdk/core/common/unique_fd.hpp"

namespace aispm::collector {
namespace {

constexpr int kWaitMilliseconds = 20'000;

// Listens on a port of the loopback address.
struct Receiver {
  UniqueFd listener{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  int port = 0;

  Receiver() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener.get(), 8), 0);
    ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port = ::ntohs(address.sin_port);
  }
  UniqueFd accept() const {
    pollfd waiting{listener.get(), POLLIN, 0};
    if (::poll(&waiting, 1, kWaitMilliseconds) != 1) return UniqueFd();
    return UniqueFd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  NotifyConfig config() const {
    NotifyConfig config;
    config.url = "http://127.0.0.1:" + std::to_string(port) + "/hook";
    config.secret = Secret("s");
    config.allow_private = true;
    return config;
  }
};

std::string read_request(const UniqueFd& connection) {
  std::string request(4096, '\0');
  const ssize_t count = ::recv(connection.get(), request.data(), request.size(), 0);
  request.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  return request;
}

// What hangs in it ends with it, before what it uses: for the sanitizers.
TEST(Notifier, EndsWhileItsReceiverSaysNothing) {
  const Receiver receiver;
  auto notifier = Notifier::start(receiver.config());
  ASSERT_TRUE(notifier);
  (*notifier)->send("{}");
  const UniqueFd connection = receiver.accept();
  ASSERT_GE(connection.get(), 0);
  EXPECT_NE(read_request(connection).find("x-aispm-signature: t="), std::string::npos);
  notifier->reset();
}

TEST(Notifier, HasNoProblemAnyMoreOnceOneWasTaken) {
  const Receiver receiver;
  auto notifier = Notifier::start(receiver.config());
  ASSERT_TRUE(notifier);
  (*notifier)->send("{}");
  for (const char* answer : {"HTTP/1.1 503 Busy\r\n\r\n", "HTTP/1.1 204 Taken\r\n\r\n"}) {
    const UniqueFd connection = receiver.accept();
    ASSERT_GE(connection.get(), 0);
    EXPECT_FALSE(read_request(connection).empty());
    EXPECT_GT(::send(connection.get(), answer, std::strlen(answer), MSG_NOSIGNAL), 0);
  }
  for (int i = 0; i < 200 && (*notifier)->counts().sent == 0; ++i) ::poll(nullptr, 0, 50);
  EXPECT_EQ((*notifier)->counts().sent, 1U);
  EXPECT_EQ((*notifier)->counts().failed, 0U);
  EXPECT_EQ((*notifier)->counts().problem, "");
}

}  // namespace
}  // namespace aispm::collector
