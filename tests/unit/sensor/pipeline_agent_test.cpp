// SPDX-License-Identifier: Apache-2.0
// From captured bytes to the events about routes, tools and coverage.
#include "tests/unit/sensor/pipeline_fixture.hpp"

namespace aispm::sensor {
namespace {

using namespace std::string_literals;
using testing::IsEmpty;
using testing::SizeIs;

class PipelineAgentTest : public PipelineTest {
 protected:
  void say(Direction direction, std::string_view text) {
    StreamChunk chunk;
    chunk.time = {9'100'000'000};
    chunk.actor.id = chunk.key.process = {records::kPid, {records::kStart}};
    chunk.actor.uid = 1000;
    chunk.key.source = source_;
    chunk.key.ssl = 5;
    chunk.direction = direction;
    std::uint64_t& offset = direction == Direction::kRead ? read_ : written_;
    chunk.offset = offset;
    offset += text.size();
    chunk.bytes = text;
    chunk.from_start = true;
    chunk.socket = socket_;
    chunk.peer = peer_;
    pipeline_.take_record(chunk);
  }
  void ask_a_model() {
    const std::string body = R"({"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]})";
    say(Direction::kWrite,
        "POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\nContent-Length: " +
            std::to_string(body.size()) + "\r\n\r\n" + body);
  }
  void go_to(std::uint8_t last, std::uint16_t port) {
    socket_.emplace();
    socket_->source.bytes = {10, 0, 0, 5};
    socket_->destination.bytes = {192, 0, 2, last};
    socket_->destination.port = port;
    socket_->cookie = 77;
  }

  StreamSource source_ = StreamSource::kTls;
  std::optional<Endpoints> socket_;
  ProcessId peer_;
  std::uint64_t read_ = 0;
  std::uint64_t written_ = 0;
};

TEST_F(PipelineAgentTest, TellsCallsPastTheGateway) {
  go_to(7, 443);
  ask_a_model();
  pipeline_.finish({10'000'000'000});
  ASSERT_THAT(of<model::LlmCall>(), SizeIs(1));
  EXPECT_EQ(of<model::LlmCall>()[0].second.route, "direct");
  EXPECT_EQ(of<model::LlmCall>()[0].second.destination_address, "192.0.2.7");
  EXPECT_EQ(of<model::LlmCall>()[0].second.attribution, "socket");
  EXPECT_EQ(of<model::AiUse>().back().second.route, "direct");
}

TEST_F(PipelineAgentTest, TellsCallsToTheGateway) {
  go_to(99, 8088);
  source_ = StreamSource::kPlainSocket;
  ask_a_model();
  EXPECT_EQ(of<model::AiUse>().back().second.route, "gateway");
}

TEST_F(PipelineAgentTest, ReportsToolCallsOfAChildAsItsParents) {
  peer_ = {77, {5}};
  source_ = StreamSource::kStdio;
  take(records::exec("files-server\0bin\0"s, "files-server\0/srv\0"s));
  say(Direction::kRead,
      R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read","arguments":{}}})"
      "\n");
  say(Direction::kWrite,
      R"({"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"secret"}]}})"
      "\n");
  ASSERT_THAT(of<model::McpCall>(), SizeIs(1));
  const auto [event, call] = of<model::McpCall>()[0];
  EXPECT_EQ(event.process->id, peer_);
  EXPECT_EQ(call.tool, "read");
  ASSERT_TRUE(call.server_process.has_value());
  EXPECT_EQ(call.server_process->exe, "/bin/files-server");
  EXPECT_EQ(health().counters["agent.calls"], 1U);
}

TEST_F(PipelineAgentTest, ReportsWhatOfAProcessWasNotSeenWhenItEnds) {
  SocketBytes bytes;
  bytes.actor.id = {records::kPid, {records::kStart}};
  bytes.socket.cookie = 5;
  bytes.socket.destination.port = 443;
  bytes.sent_bytes = 50'000;
  pipeline_.take_record(bytes);
  TlsLibraryFact fact;
  fact.process = bytes.actor.id;
  fact.library = "rustls-ring";
  fact.reason = "no fingerprint";
  pipeline_.take_record(fact);
  take(records::exit(0));
  pipeline_.end_batch();
  ASSERT_THAT(of<model::TlsCoverage>(), SizeIs(1));
  const auto [event, coverage] = of<model::TlsCoverage>()[0];
  EXPECT_EQ(event.process->id, bytes.actor.id);
  EXPECT_EQ(coverage.wire_bytes, 50'000U);
  EXPECT_EQ(coverage.plaintext_bytes, 0U);
  ASSERT_THAT(coverage.gaps, SizeIs(1));
  EXPECT_EQ(coverage.gaps[0].library, "rustls-ring");
  EXPECT_EQ(coverage.gaps[0].reason, "no fingerprint");
}

// The end of a short connection is in one ring, its plaintext and its name in the other; which ring
// is read first must make no difference.
TEST_F(PipelineAgentTest, TakesTheEndOfASocketAfterItsPlaintextAndItsName) {
  SocketBytes end;
  end.actor.id = {records::kPid, {records::kStart}};
  end.socket.cookie = 5;
  end.socket.destination.port = 8443;
  end.sent_bytes = 9'000;
  pipeline_.take_record(end);
  SeenName name;
  name.actor = end.actor;
  name.name = "llm.example";
  name.socket = end.socket;
  pipeline_.take_record(name);
  StreamChunk plaintext;
  plaintext.actor = end.actor;
  plaintext.key.process = end.actor.id;
  plaintext.key.ssl = 7;
  plaintext.from_start = true;
  plaintext.direction = Direction::kWrite;
  const std::string bytes(2000, 'x');
  plaintext.bytes = bytes;
  plaintext.socket = end.socket;
  pipeline_.take_record(plaintext);
  EXPECT_THAT(of<model::SocketClose>(), IsEmpty());
  pipeline_.end_batch();
  ASSERT_THAT(of<model::SocketClose>(), SizeIs(1));
  EXPECT_EQ(of<model::SocketClose>()[0].second.name, "llm.example");
  take(records::exit(0));
  pipeline_.end_batch();  // no socket is open: coverage is told at once
  ASSERT_THAT(of<model::TlsCoverage>(), SizeIs(1));
  EXPECT_EQ(of<model::TlsCoverage>()[0].second.plaintext_bytes, 2000U);
}

TEST_F(PipelineAgentTest, HoldsBackOnlySoMany) {
  SocketBytes end;
  end.actor.id = {records::kPid, {records::kStart}};
  end.socket.destination.port = 80;
  for (std::uint64_t cookie = 1; cookie < Pipeline::kMaxHeldBack; ++cookie) {
    end.socket.cookie = cookie;
    pipeline_.take_record(end);
  }
  EXPECT_THAT(of<model::SocketClose>(), IsEmpty());
  end.socket.cookie = Pipeline::kMaxHeldBack;
  pipeline_.take_record(end);
  EXPECT_THAT(of<model::SocketClose>(), SizeIs(Pipeline::kMaxHeldBack));
}

}  // namespace
}  // namespace aispm::sensor
