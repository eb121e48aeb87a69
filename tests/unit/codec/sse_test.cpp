// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/codec/sse.hpp"

#include <gmock/gmock.h>

#include <vector>

namespace aispm::codec {
namespace {

struct Seen {
  std::string event;
  std::string data;
  std::string id;
  std::string raw;
  bool has_data = false;
  bool terminated = true;
  bool operator==(const Seen& other) const {  // raw may be cut elsewhere after a CR
    return event == other.event && data == other.data && id == other.id &&
           has_data == other.has_data;
  }
};

void drain(SseParser& parser, std::vector<Seen>& seen) {
  for (;;) {
    auto event = parser.next();
    ASSERT_TRUE(event.has_value());
    if (!*event) return;
    const SseEvent& e = **event;
    if (e.single_line) {
      EXPECT_EQ(e.raw.substr(e.data_offset, e.data.size()), e.data);
    }
    seen.push_back({std::string(e.event), std::string(e.data), std::string(e.id.value_or("")),
                    std::string(e.raw), e.has_data, e.terminated});
  }
}

std::vector<Seen> parse_pieces(const std::vector<std::string_view>& pieces) {
  SseParser parser;
  std::vector<Seen> seen;
  for (const std::string_view piece : pieces) {
    parser.feed(piece);
    drain(parser, seen);
  }
  auto last = parser.finish();
  if (last && *last) {
    const SseEvent& e = **last;
    seen.push_back({std::string(e.event), std::string(e.data), "", std::string(e.raw), e.has_data,
                    e.terminated});
  }
  return seen;
}

std::string join_raw(const std::vector<Seen>& seen) {
  std::string all;
  for (const Seen& event : seen) all += event.raw;
  return all;
}

std::vector<Seen> with_data(const std::vector<Seen>& seen) {
  std::vector<Seen> kept;
  for (const Seen& event : seen)
    if (event.has_data) kept.push_back(event);
  return kept;
}

TEST(SseParser, ReadsWhatBrowsersRead) {
  const auto seen =
      parse_pieces({"event: a\ndata: 1\ndata:2\ndata\ndata:  3\nid: 7\nretry: 10\nfoo: bar\n\n: "
                    "comment\n\ndata: x\r\n\r\ndata: y\r\r"});
  ASSERT_EQ(seen.size(), 4U);
  EXPECT_EQ(seen[0].event, "a");
  EXPECT_EQ(seen[0].data, "1\n2\n\n 3");
  EXPECT_EQ(seen[0].id, "7");
  EXPECT_FALSE(seen[1].has_data);
  EXPECT_EQ(seen[2].data, "x");
  EXPECT_EQ(seen[3].data, "y");
}

TEST(SseParser, GivesEveryByteBackInOrderAtEverySplit) {
  const std::string stream =
      "\xEF\xBB\xBF"
      "data: first\n\nevent: delta\r\ndata: {\"a\":1}\r\n\r\n:ping\r\rdata: a\rdata: b\r\rdata: "
      "[DONE]\n\ndata: cut";
  const auto whole = parse_pieces({stream});
  EXPECT_EQ(join_raw(whole), stream);
  ASSERT_EQ(with_data(whole).size(), 5U);
  EXPECT_EQ(whole[0].data, "first");
  EXPECT_EQ(whole.back().data, "cut");
  EXPECT_FALSE(whole.back().terminated);
  std::vector<std::string_view> single;
  for (std::size_t i = 0; i < stream.size(); ++i)
    single.push_back(std::string_view(stream).substr(i, 1));
  EXPECT_EQ(with_data(parse_pieces(single)), with_data(whole));
  EXPECT_EQ(join_raw(parse_pieces(single)), stream);
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    const auto split = parse_pieces(
        {std::string_view(stream).substr(0, cut), std::string_view(stream).substr(cut)});
    EXPECT_EQ(with_data(split), with_data(whole)) << cut;
    EXPECT_EQ(join_raw(split), stream) << cut;
  }
}

TEST(SseParser, GivesAnEventOutAsSoonAsItsLastByteIsThere) {
  for (const std::string_view stream :
       {"data: a\n\n", "data: a\r\r", "data: a\r\n\r\n", "data: a\r\n\n"}) {
    SseParser parser;
    std::vector<Seen> seen;
    parser.feed(stream);
    drain(parser, seen);
    // CR CR LF is still one line end: the LF may follow later, the event must not wait for it.
    EXPECT_EQ(seen.size(), 1U) << stream;
  }
}

TEST(SseParser, IgnoresAnIdWithNulAndABadRetry) {
  SseParser parser;
  parser.feed(std::string_view("id: a\0b\nretry: 1x\ndata: d\n\n", 27));
  const auto event = parser.next();
  ASSERT_TRUE(event && *event);
  EXPECT_EQ((*event)->id, std::nullopt);
  EXPECT_EQ((*event)->retry_ms, std::nullopt);
}

TEST(SseParser, StaysFailedWhenAnEventIsTooLarge) {
  SseParser parser(64);
  parser.feed("data: ok\n\ndata: " + std::string(64, 'x'));
  const auto first = parser.next();
  ASSERT_TRUE(first && *first);
  EXPECT_EQ(parser.next().error().code, Errc::kTooLarge);
  parser.feed("\n\ndata: y\n\n");
  EXPECT_FALSE(parser.next().has_value());
  EXPECT_FALSE(parser.finish().has_value());
  EXPECT_TRUE(parser.pending().empty());
}

TEST(SseParser, RefusesACompleteEventOverTheLimitToo) {
  SseParser parser(16);
  parser.feed("data: 0123456789abcdef\n\n");
  EXPECT_FALSE(parser.next().has_value());
}

TEST(SseParser, KeepsLittleOfALongStream) {
  SseParser parser;
  std::size_t events = 0;
  for (int i = 0; i < 10'000; ++i) {
    parser.feed("data: 0123456789\n\ndata: half");
    for (auto event = parser.next(); event && *event; event = parser.next()) ++events;
    parser.feed("\n\n");
    for (auto event = parser.next(); event && *event; event = parser.next()) ++events;
  }
  EXPECT_EQ(events, 20'000U);
  EXPECT_TRUE(parser.pending().empty());
}

TEST(SerialiseSse, ComesBackAsItWas) {
  const auto seen = parse_pieces({serialise_sse("content_block_delta", "{\"a\":\"b\"}"),
                                  serialise_sse("", "two\nlines"), serialise_sse("x\ny", "z")});
  ASSERT_EQ(seen.size(), 3U);
  EXPECT_EQ(seen[0].event, "content_block_delta");
  EXPECT_EQ(seen[0].data, "{\"a\":\"b\"}");
  EXPECT_EQ(seen[1].data, "two\nlines");
  EXPECT_EQ(seen[2].event, "xy");
}

}  // namespace
}  // namespace aispm::codec
