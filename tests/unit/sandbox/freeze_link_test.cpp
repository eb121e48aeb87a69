// SPDX-License-Identifier: Apache-2.0
#include "sandbox/supervise/freeze_link.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <vector>

namespace aispm::sandbox {
namespace {

TEST(FreezeWord, IsOneOfThree) {
  EXPECT_EQ(parse_freeze("free")->freeze, Freeze::kFree);
  EXPECT_EQ(parse_freeze("frozen looked into it")->freeze, Freeze::kFrozen);
  EXPECT_EQ(parse_freeze("frozen looked into it")->reason, "looked into it");
  EXPECT_EQ(parse_freeze("killed x")->freeze, Freeze::kKilled);
  for (const char* line : {"", "frozenx", "Free", " free", "kill it"})
    EXPECT_FALSE(parse_freeze(line)) << line;
}

// A gateway's socket, and the connection that was made to it.
class FreezeLinkTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = std::filesystem::temp_directory_path() / "aispm-freeze-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, (folder_ + "/s").c_str(), sizeof(address.sun_path) - 1);
    listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    ASSERT_EQ(::listen(listener_.get(), 4), 0);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  UniqueFd accept() { return UniqueFd(::accept(listener_.get(), nullptr, nullptr)); }
  static void say(const UniqueFd& peer, const std::string& text) {
    ASSERT_EQ(::send(peer.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  }

  std::string folder_;
  UniqueFd listener_;
  EventLoop loop_ = EventLoop::open().value();
  std::vector<FreezeWord> heard_;
};

TEST_F(FreezeLinkTest, HearsWordsOverCutsAndConnections) {
  FreezeLink link(GatewayLink(folder_ + "/s", "HEADER\r\n"), loop_,
                  [this](const FreezeWord& word) { heard_.push_back(word); });
  link.keep(FreezeLink::Clock::now());
  const UniqueFd first = accept();
  char request[256] = {};
  ASSERT_GT(::recv(first.get(), request, sizeof(request) - 1, 0), 0);
  EXPECT_EQ(std::string(request).rfind("HEADER\r\nGET /aispm/v1/freeze HTTP/1.1\r\n", 0), 0U);
  say(first, "HTTP/1.1 200 OK\r\nx: frozen no\r\n\r\nfree\nfroz");
  ASSERT_TRUE(loop_.run_once(1000));
  say(first, "en because\nnonsense\n");
  ASSERT_TRUE(loop_.run_once(1000));
  ASSERT_EQ(heard_.size(), 2U);
  EXPECT_EQ(heard_[1].freeze, Freeze::kFrozen);
  EXPECT_EQ(heard_[1].reason, "because");
  ::shutdown(first.get(), SHUT_RDWR);
  ASSERT_TRUE(loop_.run_once(1000));
  EXPECT_EQ(heard_.size(), 2U);  // the last word stands
  EXPECT_LT(link.due(), FreezeLink::Clock::now() + FreezeLink::kSilence / 2);
  link.keep(link.due());
  EXPECT_TRUE(accept());
}

TEST_F(FreezeLinkTest, AnEndlessLineEndsTheConnection) {
  FreezeLink link(GatewayLink(folder_ + "/s", ""), loop_,
                  [this](const FreezeWord& word) { heard_.push_back(word); });
  link.keep(FreezeLink::Clock::now());
  const UniqueFd peer = accept();
  say(peer, "HTTP/1.1 200 OK\r\n\r\n" + std::string(FreezeLink::kMaxLineBytes + 1, 'x'));
  while (link.due() > FreezeLink::Clock::now() + FreezeLink::kSilence / 2)
    ASSERT_TRUE(loop_.run_once(1000));
  EXPECT_TRUE(heard_.empty());
}

TEST_F(FreezeLinkTest, AGatewayThatFallsSilentIsAskedAnew) {
  FreezeLink link(GatewayLink(folder_ + "/s", ""), loop_,
                  [this](const FreezeWord& word) { heard_.push_back(word); });
  const auto begun = FreezeLink::Clock::now();
  link.keep(begun);
  const UniqueFd first = accept();
  say(first, "HTTP/1.1 200 OK\r\n\r\nfrozen because\n");
  ASSERT_TRUE(loop_.run_once(1000));
  link.keep(begun + FreezeLink::kSilence / 2);  // not yet: it spoke
  char bytes[256];
  ASSERT_GT(::recv(first.get(), bytes, sizeof(bytes), MSG_DONTWAIT), 0);  // the request
  EXPECT_EQ(::recv(first.get(), bytes, sizeof(bytes), MSG_DONTWAIT), -1);
  link.keep(link.due());
  EXPECT_EQ(::recv(first.get(), bytes, sizeof(bytes), MSG_DONTWAIT), 0);  // hung up
  const UniqueFd second = accept();
  say(second, "HTTP/1.1 200 OK\r\n\r\nfree\n");
  ASSERT_TRUE(loop_.run_once(1000));
  ASSERT_EQ(heard_.size(), 2U);
  EXPECT_EQ(heard_[1].freeze, Freeze::kFree);
}

TEST_F(FreezeLinkTest, WithoutAGatewayItTriesAgain) {
  FreezeLink link(GatewayLink(folder_ + "/nobody", ""), loop_, [](const FreezeWord&) {});
  const auto now = FreezeLink::Clock::now() + std::chrono::hours(1);
  link.keep(now);
  EXPECT_GT(link.due(), now);
  EXPECT_LT(link.due(), now + std::chrono::seconds(10));
}

}  // namespace
}  // namespace aispm::sandbox
