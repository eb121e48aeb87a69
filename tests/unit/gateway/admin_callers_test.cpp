// SPDX-License-Identifier: Apache-2.0
// GW-040: whoever connects to an operator's door and says nothing keeps nobody from being served.
#include "gateway/proxy/admin_callers.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gateway/net/listen.hpp"

namespace aispm::gateway {
namespace {

using ::testing::Eq;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::string_view kGet = "GET /health HTTP/1.1\r\nhost: gateway\r\n\r\n";

// A door that answers each whole request with its target, each refusal with its message.
class AdminCallersTest : public ::testing::Test {
 protected:
  void start(AdminCallers::Bounds bounds) {
    auto listeners = net::listen_tcp({"127.0.0.1", 0}, 1);
    ASSERT_TRUE(listeners) << listeners.error().message;
    listener_ = std::move(listeners->front());
    ASSERT_EQ(::fcntl(listener_.get(), F_SETFL, O_NONBLOCK), 0);
    stop_ = UniqueFd(::eventfd(0, EFD_CLOEXEC));
    AdminCallers::Handlers handlers;
    handlers.admit = [](const UniqueFd&) { return true; };
    handlers.serve = [](UniqueFd peer, ArrivedRequest request) {
      say(peer, "served " + request.target + " " + request.token + " " + request.body);
    };
    handlers.refuse = [](const UniqueFd& peer, const Error& error) {
      say(peer, "refused " + error.message);
    };
    handlers.note_crowded_out = [this] { ++crowded_out_; };
    callers_ = std::make_unique<AdminCallers>(listener_, stop_, bounds, std::move(handlers));
    thread_ = std::thread([this] { callers_->run(); });
  }
  void TearDown() override {
    const std::uint64_t one = 1;
    ASSERT_EQ(::write(stop_.get(), &one, sizeof one), static_cast<ssize_t>(sizeof one));
    thread_.join();
  }

  static void say(const UniqueFd& peer, std::string_view text) {
    (void)::send(peer.get(), text.data(), text.size(), MSG_NOSIGNAL);
  }
  UniqueFd connect() const {
    UniqueFd peer(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(net::local_port(listener_));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(peer.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return peer;
  }
  // All that is said until the other end closes.
  static std::string hear(const UniqueFd& peer) {
    std::string all;
    std::array<char, 4096> space;
    ssize_t size = 0;
    while ((size = ::recv(peer.get(), space.data(), space.size(), 0)) > 0)
      all.append(space.data(), static_cast<std::size_t>(size));
    return all;
  }

  UniqueFd listener_;
  UniqueFd stop_;
  std::atomic<int> crowded_out_{0};
  std::unique_ptr<AdminCallers> callers_;
  std::thread thread_;
};

constexpr AdminCallers::Bounds kPatient{
    .callers = 8, .deadline = std::chrono::minutes(10), .linger = std::chrono::minutes(10)};

TEST_F(AdminCallersTest, ServesBesideManyThatSayNothing) {
  start(kPatient);
  std::vector<UniqueFd> idle;
  for (int i = 0; i < 50; ++i) idle.push_back(connect());
  const UniqueFd peer = connect();
  say(peer, kGet);
  EXPECT_THAT(hear(peer), StartsWith("served /health"));
  EXPECT_GE(crowded_out_.load(), 42);
  EXPECT_THAT(hear(idle.front()), Eq(""));  // it was silent longest
}

TEST_F(AdminCallersTest, PutsARequestTogetherFromPieces) {
  start(kPatient);
  const UniqueFd peer = connect();
  for (const std::string_view piece :
       {"PUT /x HTTP/1.1\r\nhost: gateway\r\nauthoriz",
        "ation: Bearer abc\r\ncontent-length: 6\r\n", "\r\nab", "cdef"}) {
    say(peer, piece);
    std::this_thread::yield();
  }
  EXPECT_THAT(hear(peer), Eq("served /x abc abcdef"));
}

TEST_F(AdminCallersTest, TellsThoseWhoseRequestDoesNotArrive) {
  start({.callers = 8,
         .deadline = std::chrono::milliseconds(20),
         .linger = std::chrono::milliseconds(20)});
  const UniqueFd peer = connect();
  say(peer, "GET /health HT");
  EXPECT_THAT(hear(peer), StartsWith("refused the request did not arrive"));
}

TEST_F(AdminCallersTest, RefusesABodyOverTheLimitSoThatItIsHeard) {
  start(kPatient);
  const UniqueFd peer = connect();
  say(peer, "PUT /x HTTP/1.1\r\nhost: gateway\r\ncontent-length: 300000\r\n\r\n");
  const std::string piece(30'000, '#');
  for (int i = 0; i < 10; ++i) say(peer, piece);
  EXPECT_THAT(hear(peer), StartsWith("refused a tenant's rules may have 256 KiB"));
}

TEST(AdminRequestReader, RefusesAHeadOverItsLimit) {
  AdminRequestReader reader;
  const auto said = reader.add("GET / HTTP/1.1\r\nhost: a\r\nx: " +
                               std::string(AdminRequestReader::kMaxHeadBytes, 'x'));
  ASSERT_FALSE(said);
  EXPECT_EQ(said.error().code, Errc::kTooLarge);
}

TEST(AdminRequestReader, RefusesTwoTokens) {
  AdminRequestReader reader;
  const auto said = reader.add(
      "GET / HTTP/1.1\r\nhost: a\r\nauthorization: Bearer a\r\nauthorization: Bearer b\r\n\r\n");
  ASSERT_FALSE(said);
  EXPECT_THAT(said.error().message, HasSubstr("authorization is given twice"));
}

TEST(AdminRequestReader, NeedsAContentLength) {
  AdminRequestReader reader;
  const auto said = reader.add("PUT / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
  ASSERT_FALSE(said);
  EXPECT_THAT(said.error().message, HasSubstr("Content-Length"));
}

}  // namespace
}  // namespace aispm::gateway
