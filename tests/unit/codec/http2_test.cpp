// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/codec/http2.hpp"

#include <gmock/gmock.h>

#include "tests/unit/codec/http2_wire.hpp"

namespace aispm::codec::http2 {
namespace {

using namespace testing_support;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Events as text; neighbouring data of one stream is joined, so that cuts do not show.
class Log {
 public:
  explicit Log(bool from_start) : observer(from_start) {}

  Result<> feed(Side side, std::string_view bytes, std::size_t step = SIZE_MAX) {
    while (!bytes.empty()) {
      AISPM_CHECK(observer.feed(side, bytes.substr(0, step), sink()));
      bytes.remove_prefix(std::min(step, bytes.size()));
    }
    return {};
  }
  void skip(Side side, std::uint64_t size) { observer.skip(side, size, sink()); }

  Observer observer;
  std::vector<std::string> lines;

 private:
  Observer::Sink sink() {
    return [this](const Event& event) { note(event); };
  }

  void note(const Event& event) {
    const std::string where =
        std::string(event.from == Side::kClient ? "c" : "s") + std::to_string(event.stream);
    switch (event.kind) {
      case Event::Kind::kHead:
      case Event::Kind::kTrailers:
      case Event::Kind::kPromise: {
        std::string line = where + (event.kind == Event::Kind::kHead       ? " head"
                                    : event.kind == Event::Kind::kTrailers ? " trailers"
                                                                           : " promise");
        for (const Field& field : event.head->fields)
          line += " " + (field.is_unknown ? "?" : field.name + "=" + field.value);
        if (!event.head->is_complete) line += " incomplete";
        return lines.push_back(line);
      }
      case Event::Kind::kData:
        if (!lines.empty() && lines.back().starts_with(where + " data ")) {
          lines.back() += event.data;
        } else {
          lines.push_back(where + " data " + std::string(event.data));
        }
        return;
      case Event::Kind::kGap:
        return lines.push_back(where + " gap " + std::to_string(event.lost_bytes));
      case Event::Kind::kEnd:
        return lines.push_back(where + " end");
      case Event::Kind::kReset:
        return lines.push_back(where + " reset " + std::to_string(event.error_code));
      case Event::Kind::kDropped:
        return lines.push_back(where + " dropped");
      case Event::Kind::kLost:
        return lines.push_back(where + " lost " + std::string(event.why));
    }
  }
};

TEST(Http2Observer, ReadsBothDirectionsAtEveryStep) {
  for (const std::size_t step : {std::size_t{1}, std::size_t{3}, std::size_t{10}, SIZE_MAX}) {
    Log log(true);
    Deflater client;
    Deflater server;
    ASSERT_TRUE(log.feed(Side::kClient,
                         std::string(kPreface) + settings() +
                             client.headers(1, ask("/v1/messages")) + frame(8, 0, 0, u32(1000)) +
                             data(1, "{\"a\"", false) + data(1, ":1}", true),
                         step)
                    .has_value());
    ASSERT_TRUE(log.feed(Side::kServer,
                         settings() + frame(4, 1, 0, "") + server.headers(1, answer()) +
                             data(1, "data: x\n\n", false) + frame(6, 0, 0, "12345678") +
                             data(1, "", true),
                         step)
                    .has_value());
    EXPECT_THAT(log.lines,
                ElementsAre("c1 head :method=POST :scheme=https :authority=api.example.com "
                            ":path=/v1/messages content-type=application/json x-agent=seven",
                            "c1 data {\"a\":1}", "c1 end",
                            "s1 head :status=200 content-type=text/event-stream x-request-id=r-1",
                            "s1 data data: x\n\n", "s1 end"))
        << step;
    EXPECT_EQ(log.observer.stream_count(), 0U);
    EXPECT_EQ(log.observer.held_bytes(), 0U);
  }
}

TEST(Http2Observer, KeepsInterleavedStreamsApart) {
  Log log(true);
  Deflater client;
  ASSERT_TRUE(log.feed(Side::kClient, std::string(kPreface) + settings() +
                                          client.headers(1, ask("/a")) +
                                          client.headers(3, ask("/b")) + data(1, "one", false) +
                                          data(3, "two", true) + data(1, "more", true))
                  .has_value());
  // The second head comes from the dynamic table.
  EXPECT_THAT(log.lines[1], HasSubstr(":authority=api.example.com :path=/b"));
  EXPECT_THAT(std::vector(log.lines.begin() + 2, log.lines.end()),
              ElementsAre("c1 data one", "c3 data two", "c3 end", "c1 data more", "c1 end"));
  EXPECT_EQ(log.observer.stream_count(), 2U);
}

TEST(Http2Observer, JoinsContinuationsAndStripsPaddingAndPriority) {
  Log log(true);
  Deflater client;
  const std::string block = client.block(ask("/x"));
  const std::string padded =
      std::string("\x04", 1) + std::string("\0\0\0\0\x10", 5) + block.substr(0, 5) + "PADD";
  ASSERT_TRUE(log.feed(Side::kClient,
                       std::string(kPreface) + settings() + frame(1, 0x08 | 0x20, 1, padded) +
                           frame(9, 0, 1, block.substr(5, 7)) + frame(9, 4, 1, block.substr(12)) +
                           frame(0, 0x08 | 1, 1, std::string("\x03", 1) + "body" + "PAD"),
                       1)
                  .has_value());
  EXPECT_THAT(log.lines[0], HasSubstr(":path=/x"));
  EXPECT_THAT(std::vector(log.lines.begin() + 1, log.lines.end()),
              ElementsAre("c1 data body", "c1 end"));
}

TEST(Http2Observer, TellsInterimRepliesTrailersResetsAndPromises) {
  Log log(true);
  Deflater client;
  Deflater server;
  ASSERT_TRUE(log.feed(Side::kClient, std::string(kPreface) + client.headers(1, ask("/"), true) +
                                          client.headers(3, ask("/"), true))
                  .has_value());
  log.lines.clear();
  ASSERT_TRUE(
      log.feed(Side::kServer,
               settings() + server.headers(1, {{":status", "103"}}) +
                   server.headers(1, {{":status", "200"}}) + data(1, "x", false) +
                   server.headers(1, {{"grpc-status", "0"}}, true) +
                   frame(5, 4, 3, u32(2) + server.block({{":method", "GET"}, {":path", "/p"}})) +
                   frame(3, 0, 3, u32(8)))
          .has_value());
  EXPECT_THAT(log.lines, ElementsAre("s1 head :status=103", "s1 head :status=200", "s1 data x",
                                     "s1 trailers grpc-status=0", "s1 end",
                                     "s3 promise :method=GET :path=/p", "s3 reset 8"));
}

TEST(Http2Observer, CountsGrpc) {
  Log log(true);
  Deflater client;
  Fields call = ask("/pkg.Service/Call");
  call[4].second = "application/grpc+proto";
  ASSERT_TRUE(log.feed(Side::kClient, std::string(kPreface) + client.headers(1, call)).has_value());
  EXPECT_EQ(log.observer.counters().grpc_streams, 1U);
}

// The table that the first request built is unknown to who joins at the second one.
TEST(Http2Observer, JoinedMidwaySaysWhichFieldsAreUnknownAndReadsAllLaterOnes) {
  Deflater client;
  client.block(ask("/first"));
  Log log(false);
  ASSERT_TRUE(log.feed(Side::kClient, client.headers(3, ask("/second")) + data(3, "body", true))
                  .has_value());
  EXPECT_THAT(log.lines[0], HasSubstr(":method=POST"));   // static table
  EXPECT_THAT(log.lines[0], HasSubstr(":path=/second"));  // sent as a literal
  EXPECT_THAT(log.lines[0], HasSubstr("? "));             // :authority, x-agent
  EXPECT_THAT(log.lines[0], HasSubstr("incomplete"));
  EXPECT_THAT(log.lines[1], "c3 data body");
  EXPECT_GT(log.observer.counters().unknown_fields, 0U);

  // New fields enter our table and the sender's at the same place.
  Fields third = ask("/second");
  third.push_back({"x-new", "n"});
  const std::string first_use = client.headers(5, third);
  const std::string second_use = client.headers(7, third);
  log.lines.clear();
  ASSERT_TRUE(log.feed(Side::kClient, first_use + second_use).has_value());
  EXPECT_THAT(log.lines[1], HasSubstr(":path=/second"));
  EXPECT_THAT(log.lines[1], HasSubstr("x-new=n"));
}

TEST(Http2Observer, JoinedMidwayInAReplyStillGivesItsData) {
  Log log(false);
  ASSERT_TRUE(log.feed(Side::kServer, data(9, "tail", true)).has_value());
  EXPECT_THAT(log.lines, ElementsAre("s9 data tail", "s9 end"));
}

// However old the sender's table is, all that it holds after we joined is read right.
TEST(Http2Observer, JoinedMidwayFollowsEvictions) {
  Deflater server(4096);
  for (int i = 0; i < 300; ++i) server.block({{":status", "200"}, {"x-id", std::to_string(i)}});
  Log log(false);
  for (std::uint32_t i = 0; i < 400; ++i) {
    const std::string id = "v" + std::to_string(i % 50);
    log.lines.clear();
    ASSERT_TRUE(
        log.feed(Side::kServer,
                 server.headers(1 + 2 * i, {{":status", "200"}, {"x-late-" + id, id}}, true))
            .has_value());
    EXPECT_THAT(log.lines[0], HasSubstr("x-late-" + id + "=" + id));
  }
  EXPECT_EQ(log.observer.counters().broken_heads, 0U);
}

TEST(Http2Observer, StepsOverAGapInsideData) {
  Log log(true);
  Deflater client;
  const std::string head = std::string(kPreface) + client.headers(1, ask("/"));
  const std::string body = data(1, "0123456789", false);
  ASSERT_TRUE(log.feed(Side::kClient, head + body.substr(0, 9 + 3)).has_value());
  log.skip(Side::kClient, 4);
  ASSERT_TRUE(log.feed(Side::kClient, body.substr(9 + 7) + data(1, "end", true)).has_value());
  EXPECT_THAT(std::vector(log.lines.begin() + 1, log.lines.end()),
              ElementsAre("c1 data 012", "c1 gap 4", "c1 data 789end", "c1 end"));
  EXPECT_EQ(log.observer.counters().lost_bytes, 4U);
}

TEST(Http2Observer, AGapToTheEndOfAFrameEndsIt) {
  Log log(true);
  Deflater client;
  ASSERT_TRUE(log.feed(Side::kClient, std::string(kPreface) + client.headers(1, ask("/")) +
                                          data(1, "0123456789", true).substr(0, 12))
                  .has_value());
  log.skip(Side::kClient, 7);
  EXPECT_EQ(log.lines.back(), "c1 end");
}

TEST(Http2Observer, AGapInsideAHeadLosesThatHeadAndTheTablesPast) {
  Log log(true);
  Deflater client;
  const std::string lost = client.headers(1, ask("/lost"), true);
  ASSERT_TRUE(log.feed(Side::kClient, std::string(kPreface) + lost.substr(0, 12)).has_value());
  log.skip(Side::kClient, 5);
  ASSERT_TRUE(
      log.feed(Side::kClient, lost.substr(17) + client.headers(3, ask("/next"))).has_value());
  EXPECT_EQ(log.lines[0], "c1 head incomplete");
  EXPECT_EQ(log.lines[1], "c1 end");
  EXPECT_THAT(log.lines[2], HasSubstr(":path=/next"));
  EXPECT_EQ(log.observer.counters().broken_heads, 1U);
}

TEST(Http2Observer, AGapOverAFrameHeaderLosesThatDirectionOnly) {
  Log log(true);
  Deflater client;
  Deflater server;
  ASSERT_TRUE(log.feed(Side::kClient, std::string(kPreface) + client.headers(1, ask("/"), true))
                  .has_value());
  log.skip(Side::kClient, 4);
  EXPECT_TRUE(log.observer.is_lost(Side::kClient));
  EXPECT_TRUE(log.feed(Side::kClient, "anything").has_value());
  ASSERT_TRUE(log.feed(Side::kServer, settings() + server.headers(1, answer())).has_value());
  EXPECT_THAT(log.lines[3], HasSubstr("s1 head :status=200"));
  EXPECT_EQ(log.observer.counters().lost_sides, 1U);
}

TEST(Http2Observer, FollowsALargerTable) {
  Log log(true);
  Deflater client(65536);
  ASSERT_TRUE(log.feed(Side::kClient, std::string(kPreface)).has_value());
  for (std::uint32_t round = 0; round < 2; ++round)
    for (std::uint32_t i = 0; i < 200; ++i)
      ASSERT_TRUE(
          log.feed(Side::kClient, client.headers(1 + 2 * (i + 200 * round),
                                                 {{"x-field-" + std::to_string(i), "value"}}, true))
              .has_value());
  EXPECT_EQ(log.observer.counters().broken_heads, 0U);
  EXPECT_EQ(log.observer.counters().unknown_fields, 0U);
}

TEST(Http2Observer, RefusesWhatIsNoHttp2) {
  const struct {
    const char* why;
    std::string bytes;
  } cases[] = {
      {"text", "HTTP/1.1 200 OK\r\n\r\n"},
      {"data on no stream", data(0, "x", false)},
      {"settings on a stream", frame(4, 0, 1, "")},
      {"settings size", frame(4, 0, 0, "12345")},
      {"ping size", frame(6, 0, 0, "1")},
      {"window size", frame(8, 0, 1, "1")},
      {"reset size", frame(3, 0, 1, "1")},
      {"goaway size", frame(7, 0, 0, "1")},
      {"priority size", frame(2, 0, 1, "1")},
      {"continuation of nothing", settings() + frame(9, 4, 1, "x")},
      {"block not continued", frame(1, 0, 1, "\x82") + data(1, "x", false)},
      {"long unknown frame", frame(0xEE, 0, 1, std::string(20000, 'x'))},
      {"padding in nothing", frame(0, 8, 1, "")},
  };
  for (const auto& one : cases) {
    Log log(false);
    EXPECT_FALSE(log.feed(Side::kServer, one.bytes).has_value()) << one.why;
    EXPECT_TRUE(log.observer.is_lost(Side::kServer)) << one.why;
    EXPECT_EQ(log.observer.held_bytes(), 0U);
  }
  Log log(true);
  EXPECT_FALSE(log.feed(Side::kClient, "GET / HTTP/1.1\r\n").has_value());
}

TEST(Http2Observer, BoundsHeadsAndStreams) {
  Log log(true);
  Deflater client;
  Fields many = ask("/");
  for (std::size_t i = 0; i < kMaxFields; ++i) many.push_back({"x-" + std::to_string(i), "v"});
  ASSERT_TRUE(log.feed(Side::kClient, std::string(kPreface) + client.headers(1, many)).has_value());
  EXPECT_THAT(log.lines[0], HasSubstr("incomplete"));

  std::string endless = frame(1, 0, 3, "");
  for (int i = 0; i < 20; ++i) endless += frame(9, 0, 3, std::string(16384, '\x82'));
  ASSERT_TRUE(log.feed(Side::kClient, endless).has_value());
  EXPECT_LE(log.observer.held_bytes(), kMaxHeaderBlockBytes);
  ASSERT_TRUE(log.feed(Side::kClient, frame(9, 4, 3, "")).has_value());
  EXPECT_EQ(log.lines[1], "c3 head incomplete");

  for (std::uint32_t i = 0; i < kMaxStreams + 10; ++i)
    ASSERT_TRUE(log.feed(Side::kClient, data(101 + 2 * i, "x", false)).has_value());
  EXPECT_LE(log.observer.stream_count(), kMaxStreams);
  EXPECT_GE(log.observer.counters().dropped_streams, 10U);
}

TEST(Http2Likeness, TellsFramesFromText) {
  EXPECT_EQ(likeness(Side::kClient, "PRI * HT"), Likeness::kNeedMore);
  EXPECT_EQ(likeness(Side::kClient, kPreface), Likeness::kStart);
  EXPECT_EQ(likeness(Side::kServer, settings()), Likeness::kStart);
  EXPECT_EQ(likeness(Side::kServer, data(1, "x", false)), Likeness::kFrame);
  EXPECT_EQ(likeness(Side::kServer, "\x01\x02"), Likeness::kNeedMore);
  EXPECT_EQ(likeness(Side::kServer, "HTTP/1.1 200 OK"), Likeness::kNo);
  EXPECT_EQ(likeness(Side::kClient, "POST /v1/x HTTP/1.1"), Likeness::kNo);
  EXPECT_EQ(likeness(Side::kClient, "{\"jsonrpc\":\"2.0\"}"), Likeness::kNo);
}

}  // namespace
}  // namespace aispm::codec::http2
