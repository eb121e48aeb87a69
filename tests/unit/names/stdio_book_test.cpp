// SPDX-License-Identifier: Apache-2.0
#include "sensor/correlate/stdio_book.hpp"

#include <gtest/gtest.h>

namespace aispm::sensor {
namespace {

const ProcessId kServer{7, {70}};
const ProcessId kClient{3, {30}};

StreamChunk chunk(std::string bytes, Direction direction = Direction::kRead) {
  StreamChunk one;
  one.key = {kServer, 1, 99, StreamSource::kStdio};
  one.direction = direction;
  one.bytes = std::move(bytes);
  return one;
}

class StdioBookTest : public testing::Test {
 protected:
  StdioBookTest() {
    StdioFound found;
    found.actor.id = kServer;
    found.generation = 99;
    book_.take(found, kClient);
  }
  bool take(StreamChunk one) {
    const bool wanted = book_.take(one);
    peer_ = one.peer;
    return wanted;
  }
  StdioBook book_;
  ProcessId peer_;
};

TEST_F(StdioBookTest, ChunksCarryTheirClient) {
  EXPECT_TRUE(take(chunk("{\"jsonrpc\":\"2.0\"}\n")));
  EXPECT_EQ(peer_, kClient);
  EXPECT_TRUE(take(chunk("anything")));
  EXPECT_EQ(peer_, kClient);
}

TEST_F(StdioBookTest, FirstMessageMayComeInPieces) {
  EXPECT_TRUE(take(chunk("{\"method\":\"initialize\",\"json")));
  EXPECT_TRUE(take(chunk("rpc\":\"2.0\"}\n")));
}

TEST_F(StdioBookTest, WholeLineThatIsNoJsonRpcEndsCapture) {
  EXPECT_TRUE(take(chunk("{\"level\":\"info\",")));
  EXPECT_FALSE(take(chunk("\"text\":\"hello\"}\n")));
}

TEST_F(StdioBookTest, EndlessLineEndsCapture) {
  EXPECT_TRUE(take(chunk("{")));
  EXPECT_FALSE(take(chunk(std::string(StdioBook::kMaxLineBytes, 'x'))));
}

TEST_F(StdioBookTest, OtherSourcesPass) {
  StreamChunk tls = chunk("GET");
  tls.key.source = StreamSource::kTls;
  EXPECT_TRUE(take(tls));
  EXPECT_EQ(peer_, ProcessId{});
}

}  // namespace
}  // namespace aispm::sensor
