// SPDX-License-Identifier: Apache-2.0
// Plain HTTP to local servers: captured == sent.
#include <gmock/gmock.h>

#include <map>

#include "sensor/correlate/segment_order.hpp"
#include "tests/kernel/sockets/loopback.hpp"
#include "tests/kernel/watch.hpp"

namespace aispm::sensor::kernel_test {
namespace {

using testing::IsEmpty;

class PlainTest : public KernelTest {
 protected:
  // What was captured of a connection so far, in order; offsets have no hole.
  std::string captured(std::uint16_t client_port, Direction direction) {
    SegmentOrder order;
    std::string bytes;
    const auto add = [&](const StreamChunk& chunk) {
      if (chunk.direction != direction || !chunk.socket || chunk.socket->source.port != client_port)
        return;
      EXPECT_TRUE(chunk.from_start);
      EXPECT_EQ(chunk.offset, bytes.size());
      bytes += chunk.bytes;
    };
    for (const StreamChunk& chunk : watch_->of<StreamChunk>(self_))
      if (chunk.key.source == StreamSource::kPlainSocket) order.take(chunk, add);
    return bytes;
  }
  static std::string request(const std::string& line, std::size_t size) {
    return line + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(size) +
           "\r\n\r\n" + stamped(size);
  }
};

TEST_F(PlainTest, RequestsAndRepliesOfEverySizeAreCapturedAsSent) {
  for (const std::size_t size : {10U, 500U, 5000U, 20'000U, 300'000U}) {
    watch_->forget();
    TcpPair pair;
    const std::uint16_t port = port_of(pair.client);
    const std::string asked = request("POST /v1/chat/completions", size);
    const std::string reply = "HTTP/1.1 200 OK\r\n\r\n" + stamped(size * 2, 7);
    carry(pair.client.get(), pair.server.get(), asked);
    carry(pair.server.get(), pair.client.get(), reply);
    watch_->until([&] {
      return captured(port, Direction::kWrite).size() >= asked.size() &&
             captured(port, Direction::kRead).size() >= reply.size();
    });
    EXPECT_TRUE(captured(port, Direction::kWrite) == asked) << size;
    EXPECT_TRUE(captured(port, Direction::kRead) == reply) << size;
  }
}

TEST_F(PlainTest, CaptureBeginsAtTheRequestThatIsWanted) {
  TcpPair pair;
  const std::uint16_t port = port_of(pair.client);
  carry(pair.client.get(), pair.server.get(), "GET /health HTTP/1.1\r\n\r\n");
  carry(pair.server.get(), pair.client.get(), "HTTP/1.1 204 No Content\r\n\r\n");
  const std::string asked = request("POST /api/chat", 100);
  carry(pair.client.get(), pair.server.get(), asked);
  carry(pair.server.get(), pair.client.get(), "HTTP/1.1 200 OK\r\n\r\n");
  watch_->until([&] { return captured(port, Direction::kRead).size() >= 19; });
  EXPECT_EQ(captured(port, Direction::kWrite), asked);
  EXPECT_EQ(captured(port, Direction::kRead), "HTTP/1.1 200 OK\r\n\r\n");
}

TEST_F(PlainTest, CallIsCapturedAtItsClientOnly) {
  TcpPair pair;
  carry(pair.client.get(), pair.server.get(), request("POST /v1/messages", 10));
  watch_->until([&] { return !captured(port_of(pair.client), Direction::kWrite).empty(); });
  watch_->settle();
  EXPECT_THAT(captured(pair.port, Direction::kRead), IsEmpty());
}

TEST_F(PlainTest, OtherTrafficIsNotCaptured) {
  TcpPair http;
  carry(http.client.get(), http.server.get(), request("GET /index.html", 0));
  TcpPair other;
  carry(other.client.get(), other.server.get(), stamped(1000));
  watch_->settle();
  EXPECT_THAT(captured(port_of(http.client), Direction::kWrite), IsEmpty());
  EXPECT_THAT(captured(port_of(other.client), Direction::kWrite), IsEmpty());
}

TEST_F(PlainTest, KnownServersPortIsCapturedWhateverIsAsked) {
  TcpPair pair;
  watch_->capture().capture_port(pair.port);
  const std::string asked = request("GET /index.html", 0);
  carry(pair.client.get(), pair.server.get(), asked);
  watch_->until([&] { return !captured(port_of(pair.client), Direction::kWrite).empty(); });
  EXPECT_EQ(captured(port_of(pair.client), Direction::kWrite), asked);
}

TEST_F(PlainTest, EndOfTheStreamIsToldWithItsTotals) {
  TcpPair pair;
  const std::string asked = request("POST /mcp", 50);
  carry(pair.client.get(), pair.server.get(), asked);
  pair.client.reset();
  pair.server.reset();
  EXPECT_TRUE(watch_->until([&] {
    for (const StreamClose& close : watch_->of<StreamClose>(self_))
      if (close.key.source == StreamSource::kPlainSocket)
        return close.written_bytes == asked.size() && close.read_bytes == 0;
    return false;
  }));
}

}  // namespace
}  // namespace aispm::sensor::kernel_test
