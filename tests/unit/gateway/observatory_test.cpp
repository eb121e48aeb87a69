// SPDX-License-Identifier: Apache-2.0
// GW-040, GW-052: windows of figures, and whether somebody listens where calls failed.
#include "gateway/proxy/observe/observatory.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "gateway/net/listen.hpp"

namespace aispm::gateway {
namespace {

TEST(Observatory, KeepsAWindowOfMoments) {
  Observatory observatory{ObserveConfig{}};
  const std::chrono::steady_clock::time_point start{std::chrono::hours(1)};
  EXPECT_EQ(observatory.moment_before(start, Observatory::kWindow), nullptr);
  for (int second = 0; second <= 1000; ++second) {
    const auto now = start + std::chrono::seconds(second);
    observatory.note_moment(
        [&] { return Observatory::Moment{.at = now, .requests = 0, .totals = {}}; }, now);
  }
  const auto now = start + std::chrono::seconds(1000);
  EXPECT_EQ(observatory.moment_before(now, Observatory::kWindow)->at,
            start + std::chrono::seconds(700));
}

TEST(TryConnect, TellsAListenerFromAClosedPort) {
  auto listeners = net::listen_tcp({.address = "127.0.0.1", .port = 0}, 1);
  ASSERT_TRUE(listeners);
  const std::uint16_t port = net::local_port(listeners->front());
  EXPECT_TRUE(try_connect("127.0.0.1", port, std::chrono::seconds(5)));
  listeners->clear();
  EXPECT_FALSE(try_connect("127.0.0.1", port, std::chrono::seconds(5)));
}

}  // namespace
}  // namespace aispm::gateway
