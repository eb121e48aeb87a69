// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "sdk/core/common/crypto.hpp"
#include "tests/unit/correlate/plaintext.hpp"

namespace aispm::sensor {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr char kData = 0, kHeaders = 1, kReset = 3, kSettings = 4;
constexpr char kEndStream = 1, kEndHeaders = 4;

std::string frame(char type, char flags, std::uint32_t stream, std::string_view payload) {
  std::string out;
  for (const int shift : {16, 8, 0}) out += static_cast<char>(payload.size() >> shift);
  out += type;
  out += flags;
  for (const int shift : {24, 16, 8, 0}) out += static_cast<char>(stream >> shift);
  return out + std::string(payload);
}

// RFC 7541 section 6.2.2: a literal that goes into no table, without Huffman.
std::string field(std::string_view name, std::string_view value) {
  std::string out(1, '\0');
  out += static_cast<char>(name.size());
  out += name;
  if (value.size() < 127) {
    out += static_cast<char>(value.size());
  } else {
    out += '\x7f';
    out += static_cast<char>(value.size() - 127);
  }
  return out + std::string(value);
}

std::string request(std::uint32_t stream, std::string_view path, std::string_view body) {
  const std::string head = field(":method", "POST") + field(":scheme", "https") +
                           field(":authority", "api.openai.com") + field(":path", path) +
                           field("content-type", "application/json");
  return frame(kHeaders, kEndHeaders, stream, head) + frame(kData, kEndStream, stream, body);
}

std::string reply(std::uint32_t stream, std::string_view type, std::string_view body) {
  const std::string head = field(":status", "200") + field("content-type", type);
  return frame(kHeaders, kEndHeaders, stream, head) + frame(kData, kEndStream, stream, body);
}

std::string opening() { return std::string(kPreface) + frame(kSettings, 0, 0, ""); }

TEST(Http2Reader, ReadsInterleavedStreamsInAnyPieces) {
  const std::string asked = opening() + request(1, "/v1/chat/completions", kAsk) +
                            request(3, "/v1/chat/completions", kAsk);
  const std::string answered = frame(kSettings, 0, 0, "") + reply(3, "text/event-stream", kStream) +
                               reply(1, "application/json", kAnswer);
  for (const bool at_server : {false, true}) {
    for (const std::size_t step : {std::size_t{1}, std::size_t{9}, std::size_t{16384}}) {
      Recorder recorder;
      Plaintext tls;
      for (std::size_t i = 0; i < asked.size(); i += step)
        recorder.correlator.take(tls.chunk(at_server ? Direction::kRead : Direction::kWrite,
                                           std::string_view(asked).substr(i, step)));
      for (std::size_t i = 0; i < answered.size(); i += step)
        recorder.correlator.take(tls.chunk(at_server ? Direction::kWrite : Direction::kRead,
                                           std::string_view(answered).substr(i, step)));
      recorder.correlator.expire(BootTime{tls.now + 3000 * kMillisecond});
      ASSERT_THAT(recorder.calls(), SizeIs(2)) << step;
      for (const Observation& seen : recorder.calls()) {
        EXPECT_EQ(seen.call.host, "api.openai.com");
        EXPECT_EQ(seen.call.request_model, "gpt-4o");
        EXPECT_EQ(seen.call.reply_sha256, sha256_hex("hello"));
        EXPECT_EQ(seen.call.output_tokens, 3U);
        EXPECT_FALSE(seen.call.partial);
        EXPECT_EQ(seen.party.is_server, at_server);
      }
      EXPECT_EQ(recorder.correlator.held_bytes(), 0U);
    }
  }
}

TEST(Http2Reader, ReportsAStreamThatWasReset) {
  Recorder recorder;
  Plaintext tls;
  recorder.correlator.take(tls.write(opening() + request(1, "/v1/chat/completions", kAsk)));
  recorder.correlator.take(tls.reply(frame(kReset, 0, 1, std::string("\0\0\0\x07", 4))));
  ASSERT_THAT(recorder.calls(), SizeIs(1));
  EXPECT_EQ(recorder.calls()[0].call.status, 0U);
}

TEST(Http2Reader, StepsOverAHoleInsideAFrame) {
  Recorder recorder;
  Plaintext tls;
  const std::string asked = opening() + request(1, "/v1/chat/completions", kAsk) +
                            request(3, "/v1/chat/completions", kAsk);
  const std::size_t body = asked.find(kAsk);
  recorder.correlator.take(tls.write(asked.substr(0, body + 10)));
  tls.lose_written(20);
  recorder.correlator.take(tls.write(asked.substr(body + 30)));
  recorder.correlator.take(tls.reply(frame(kSettings, 0, 0, "") +
                                     reply(1, "application/json", kAnswer) +
                                     reply(3, "application/json", kAnswer)));
  ASSERT_THAT(recorder.calls(), SizeIs(2));
  EXPECT_TRUE(recorder.calls()[0].call.partial);
  EXPECT_FALSE(recorder.calls()[1].call.partial);
}

TEST(Http2Reader, InventsNothingAfterAHoleAcrossFrames) {
  Recorder recorder;
  Plaintext tls;
  const std::string asked = opening() + request(1, "/v1/chat/completions", kAsk);
  recorder.correlator.take(tls.write(asked.substr(0, 40)));
  tls.lose_written(asked.size());
  recorder.correlator.take(tls.write(asked.substr(60)));
  recorder.correlator.take(tls.reply(frame(kSettings, 0, 0, "")));
  recorder.correlator.take(tls.close());
  EXPECT_THAT(recorder.requests(), IsEmpty());
  EXPECT_EQ(recorder.count("http2.request_side_lost"), 1U);
}

}  // namespace
}  // namespace aispm::sensor
