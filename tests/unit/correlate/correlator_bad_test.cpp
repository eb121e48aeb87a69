// SPDX-License-Identifier: Apache-2.0
// What the correlator does with holes, nonsense and too much.
#include <gmock/gmock.h>

#include <random>

#include "sdk/core/common/crypto.hpp"
#include "sensor/correlate/http1_reader.hpp"
#include "tests/unit/correlate/plaintext.hpp"

namespace aispm::sensor {
namespace {

TEST(Correlator, StepsOverAHoleInARequestBody) {
  Recorder recorder;
  Plaintext tls;
  const std::string request = post("/v1/chat/completions", kAsk);
  recorder.correlator.take(tls.write(request.substr(0, request.size() - 30)));
  tls.lose_written(20);
  recorder.correlator.take(tls.write(request.substr(request.size() - 10) + request));
  recorder.correlator.take(tls.reply(ok(kAnswer) + ok(kAnswer)));
  ASSERT_EQ(recorder.calls().size(), 2U);
  EXPECT_TRUE(recorder.calls()[0].call.partial);
  EXPECT_EQ(recorder.calls()[0].call.request_bytes, kAsk.size());
  EXPECT_EQ(recorder.calls()[0].call.response_id, "chatcmpl-1");
  EXPECT_FALSE(recorder.calls()[1].call.partial);
  EXPECT_EQ(recorder.count("stream.gaps"), 1U);
  EXPECT_EQ(recorder.count("stream.gap_bytes"), 20U);
}

TEST(Correlator, StepsOverAHoleInAStream) {
  Recorder recorder;
  Plaintext tls;
  recorder.correlator.take(tls.write(post("/v1/chat/completions", kAsk)));
  const std::string head =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: " +
      std::to_string(kStream.size()) + "\r\n\r\n";
  recorder.correlator.take(tls.reply(head + std::string(kStream.substr(0, 20))));
  tls.lose_read(100);
  recorder.correlator.take(tls.reply(kStream.substr(120)));
  ASSERT_EQ(recorder.calls().size(), 1U);
  const model::LlmCall call = recorder.calls()[0].call;
  EXPECT_TRUE(call.partial);
  EXPECT_EQ(call.finish_reason, "stop");
  EXPECT_EQ(call.output_tokens, 3U);
  EXPECT_EQ(call.response_bytes, kStream.size());
}

TEST(Correlator, GivesUpAfterAHoleInFraming) {
  Recorder recorder;
  Plaintext tls;
  recorder.correlator.take(tls.write(post("/v1/chat/completions", kAsk)));
  recorder.correlator.take(tls.reply("HTTP/1.1 200 OK\r\nContent-"));
  tls.lose_read(10);
  recorder.correlator.take(tls.reply("lost"));
  ASSERT_EQ(recorder.calls().size(), 1U);
  EXPECT_EQ(recorder.count("stream.lost"), 1U);
  // Requests are still seen and reported, though their replies cannot be.
  recorder.correlator.take(tls.write(post("/v1/chat/completions", kAsk)));
  EXPECT_EQ(recorder.requests().size(), 2U);
  EXPECT_EQ(recorder.calls().size(), 2U);
  EXPECT_EQ(recorder.calls()[1].call.status, 0U);
}

TEST(Correlator, GivesUpAfterAHoleAcrossChunkFraming) {
  Recorder recorder;
  Plaintext tls;
  recorder.correlator.take(tls.write(post("/v1/chat/completions", kAsk)));
  const std::string reply = chunked(kStream, "Content-Type: text/event-stream\r\n", 50);
  recorder.correlator.take(tls.reply(reply.substr(0, 120)));
  tls.lose_read(100);
  recorder.correlator.take(tls.reply(reply.substr(220)));
  ASSERT_EQ(recorder.calls().size(), 1U);
  EXPECT_TRUE(recorder.calls()[0].call.partial);
  EXPECT_EQ(recorder.count("http.reply.malformed"), 1U);
}

TEST(Correlator, CountsWhatItIgnores) {
  struct Case {
    std::string bytes;
    Direction direction;
    bool from_start;
    std::string cause;
  };
  const std::vector<Case> cases = {
      {std::string("\x00\x01\x02", 3), Direction::kWrite, true, "ignored.not_http"},
      {"220 mail.example ESMTP\r\n", Direction::kRead, true, "ignored.not_http"},
      {"HELO mail\r\n", Direction::kWrite, true, ""},
  };
  for (const Case& c : cases) {
    Recorder recorder;
    Plaintext tls;
    tls.from_start = c.from_start;
    recorder.correlator.take(tls.chunk(c.direction, c.bytes));
    recorder.correlator.take(tls.write(post("/v1/chat/completions", kAsk)));
    EXPECT_TRUE(recorder.seen.empty()) << c.bytes;
    EXPECT_EQ(recorder.count(c.cause.empty() ? "http.request.malformed" : c.cause), 1U) << c.bytes;
  }
}

TEST(Correlator, JoinsAnIdleConnectionMidway) {
  Recorder recorder;
  Plaintext tls;
  tls.from_start = false;
  tls.written = 5000;
  tls.read = 900;
  recorder.correlator.take(tls.write(post("/v1/chat/completions", kAsk)));
  recorder.correlator.take(tls.reply(ok(kAnswer)));
  EXPECT_EQ(recorder.calls().size(), 1U);
  EXPECT_EQ(recorder.count("stream.gaps"), 0U);
}

TEST(Correlator, FindsTheNextRequestAfterJoiningInTheMiddleOfABody) {
  for (const Direction direction : {Direction::kWrite, Direction::kRead}) {
    Recorder recorder;
    Plaintext tls;
    tls.from_start = false;
    tls.written = tls.read = 5000;
    recorder.correlator.take(tls.chunk(direction, "e\":\"middle of a body\"}"));
    recorder.correlator.take(tls.chunk(direction, "POST is only a word here"));
    EXPECT_TRUE(recorder.seen.empty());
    EXPECT_EQ(recorder.count("ignored.joined_midway"), 1U);
    recorder.correlator.take(tls.write(post("/v1/chat/completions", kAsk)));
    recorder.correlator.take(tls.reply(ok(kAnswer)));
    ASSERT_EQ(recorder.calls().size(), 1U);
    EXPECT_FALSE(recorder.calls()[0].call.partial);
  }
}

// The head of the first request was lost: the body that follows is nobody's call.
TEST(Correlator, InventsNoCallAfterAHoleAtTheStart) {
  Recorder recorder;
  Plaintext tls;
  tls.lose_written(60);
  recorder.correlator.take(tls.write(kAsk));
  recorder.correlator.take(tls.reply(ok(kAnswer)));
  EXPECT_TRUE(recorder.seen.empty());
  EXPECT_EQ(recorder.count("stream.gap_bytes"), 60U);
  recorder.correlator.take(tls.write(post("/v1/chat/completions", kAsk)));
  recorder.correlator.take(tls.reply(ok(kAnswer)));
  EXPECT_EQ(recorder.calls().size(), 1U);
}

TEST(Correlator, IgnoresRepeatedBytes) {
  Recorder recorder;
  Plaintext tls;
  const std::string request = post("/v1/chat/completions", kAsk);
  recorder.correlator.take(tls.write(request.substr(0, 100)));
  tls.written = 60;
  recorder.correlator.take(tls.write(request.substr(60)));
  EXPECT_EQ(recorder.requests().size(), 1U);
  EXPECT_FALSE(recorder.requests()[0].call.partial);
  EXPECT_EQ(recorder.count("stream.repeated_bytes"), 40U);
}

TEST(Correlator, ReportsARequestItCannotRead) {
  Recorder recorder;
  Plaintext tls;
  recorder.correlator.take(
      tls.write(post("/v1/chat/completions", R"({"messages":[],"messages":[]})")));
  ASSERT_EQ(recorder.requests().size(), 1U);
  EXPECT_TRUE(recorder.requests()[0].call.partial);
  EXPECT_EQ(recorder.count("request.malformed"), 1U);
  EXPECT_THAT(recorder.correlator.counters().last_error,
              ::testing::HasSubstr("byte 0: repeated key"));
}

TEST(Correlator, CountsEncodingsItCannotUndo) {
  Recorder recorder;
  Plaintext tls;
  recorder.correlator.take(tls.write(post("/v1/chat/completions", kAsk)));
  recorder.correlator.take(tls.reply(ok("xxxx", "Content-Encoding: compress\r\n")));
  ASSERT_EQ(recorder.calls().size(), 1U);
  EXPECT_EQ(recorder.calls()[0].call.status, 200U);
  EXPECT_EQ(recorder.calls()[0].call.request_model, "gpt-4o");
  EXPECT_TRUE(recorder.calls()[0].call.partial);
  EXPECT_EQ(recorder.count("reply.encoded"), 1U);
}

TEST(Correlator, DoesNotInflateABomb) {
  Recorder recorder;
  Plaintext tls;
  recorder.correlator.take(tls.write(post("/v1/chat/completions", kAsk)));
  const std::string bomb = deflated(std::string(40U << 20, ' '), 31);
  recorder.correlator.take(tls.reply(ok(bomb, "Content-Encoding: gzip\r\n")));
  ASSERT_EQ(recorder.calls().size(), 1U);
  EXPECT_TRUE(recorder.calls()[0].call.partial);
  EXPECT_EQ(recorder.count("reply.encoding_broken") + recorder.count("reply.too_large"), 1U);
  EXPECT_EQ(recorder.correlator.held_bytes(), 0U);
}

TEST(Correlator, HoldsNoMoreThanItsBudget) {
  Correlator::Options options;
  options.max_bytes = 100'000;
  Recorder recorder(options);
  std::vector<Plaintext> clients;
  const std::string part = R"({"messages":[{"content":")" + std::string(15'000, 'x');
  for (std::uint32_t i = 0; i < 20; ++i) {
    Plaintext tls(100 + i);
    recorder.correlator.take(tls.write(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"));
    recorder.correlator.take(tls.write(part));
    EXPECT_LE(recorder.correlator.held_bytes(), options.max_bytes);
    clients.push_back(tls);
  }
  EXPECT_GT(recorder.count("memory.request"), 0U);
  recorder.correlator.close_all(BootTime{1});
  EXPECT_EQ(recorder.calls().size(), 20U);
  EXPECT_EQ(recorder.correlator.held_bytes(), 0U);
}

TEST(Correlator, EvictsTheConnectionSilentForLongest) {
  Correlator::Options options;
  options.max_connections = 2;
  Recorder recorder(options);
  Plaintext one(1);
  Plaintext two(2);
  Plaintext three(3);
  recorder.correlator.take(one.write(post("/v1/chat/completions", kAsk)));
  recorder.correlator.take(two.write(post("/v1/chat/completions", kAsk)));
  recorder.correlator.take(one.reply("HTTP/1.1 200 OK\r\n"));
  recorder.correlator.take(three.write(post("/v1/chat/completions", kAsk)));
  ASSERT_EQ(recorder.calls().size(), 1U);
  EXPECT_EQ(recorder.calls()[0].party.key, two.key);
  EXPECT_EQ(recorder.count("connections.evicted"), 1U);
}

TEST(Correlator, BoundsPipelinedRequests) {
  Recorder recorder;
  Plaintext tls;
  for (std::size_t i = 0; i < kMaxPipelined + 5; ++i)
    recorder.correlator.take(tls.write(post("/v1/chat/completions", kAsk)));
  EXPECT_EQ(recorder.requests().size(), kMaxPipelined);
  EXPECT_EQ(recorder.count("http.pipelined"), 1U);
}

// Whatever is damaged, each request that was announced ends in exactly one call, and nothing is
// held at the end.
TEST(Correlator, SurvivesDamagedStreams) {
  std::mt19937 random(7);
  const std::string request = post("/v1/chat/completions", kAsk);
  const std::string reply = chunked(kStream, "Content-Type: text/event-stream\r\n", 64);
  for (int round = 0; round < 2000; ++round) {
    Recorder recorder;
    Plaintext tls;
    for (int i = 0; i < 3; ++i) {
      for (const bool is_request : {true, false}) {
        std::string bytes = is_request ? request : reply;
        if (random() % 3 == 0) bytes[random() % bytes.size()] = static_cast<char>(random());
        for (std::size_t at = 0; at < bytes.size();) {
          const std::size_t size = 1 + random() % 200;
          if (random() % 20 == 0) {
            is_request ? tls.lose_written(size) : tls.lose_read(size);
          } else {
            const std::string_view piece = std::string_view(bytes).substr(at, size);
            recorder.correlator.take(is_request ? tls.write(piece) : tls.reply(piece));
          }
          at += size;
        }
      }
    }
    recorder.correlator.take(tls.close());
    ASSERT_EQ(recorder.requests().size(), recorder.calls().size());
    ASSERT_EQ(recorder.correlator.held_bytes(), 0U);
  }
}

}  // namespace
}  // namespace aispm::sensor
