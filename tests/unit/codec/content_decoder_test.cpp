// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/codec/content_decoder.hpp"

#include <gmock/gmock.h>

#include "tests/unit/codec/encoders.hpp"

namespace aispm::codec {
namespace {

using testing_support::brotli;
using testing_support::deflated;
using testing_support::zstd;

Result<std::string> decode(ContentDecoder decoder, std::string_view bytes,
                           std::size_t step = SIZE_MAX) {
  std::string out;
  while (!bytes.empty()) {
    AISPM_CHECK(decoder.feed(bytes.substr(0, step), [&](std::string_view piece) { out += piece; }));
    bytes.remove_prefix(std::min(step, bytes.size()));
  }
  AISPM_CHECK(decoder.finish());
  return out;
}

std::string long_text() {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += std::to_string(i * 7919) + ",";
  return text;
}

TEST(ContentDecoder, ReadsEveryCodingAtEveryStep) {
  const std::string text = long_text();
  const struct {
    const char* header;
    std::string bytes;
  } cases[] = {
      {"gzip", deflated(text, 31)},
      {"X-Gzip", deflated(text, 31)},
      {"deflate", deflated(text, 15)},
      {"deflate", deflated(text, -15)},
      {"br", brotli(text)},
      {"zstd", zstd(text)},
      {"identity", text},
      {"", text},
      {"gzip, br", brotli(deflated(text, 31))},
      {"zstd ,identity, gzip", deflated(zstd(text), 31)},
  };
  for (const auto& one : cases) {
    for (const std::size_t step : {std::size_t{1}, std::size_t{2}, std::size_t{1000}, SIZE_MAX})
      EXPECT_EQ(decode(ContentDecoder::open(one.header).value(), one.bytes, step).value(), text)
          << one.header << " " << step;
  }
}

TEST(ContentDecoder, ReadsAStreamOfSeveralMembers) {
  EXPECT_EQ(decode(ContentDecoder(ContentCoding::kGzip), deflated("ab", 31) + deflated("cd", 31), 1)
                .value(),
            "abcd");
  EXPECT_EQ(decode(ContentDecoder(ContentCoding::kZstd), zstd("ab") + zstd("cd"), 1).value(),
            "abcd");
}

TEST(ContentDecoder, ReadsAnEmptyBody) {
  for (const char* header : {"gzip", "deflate", "br", "zstd"})
    EXPECT_EQ(decode(ContentDecoder::open(header).value(), "").value(), "") << header;
}

TEST(ContentDecoder, RefusesABrokenStreamAndStaysFailed) {
  const struct {
    ContentCoding coding;
    std::string bytes;
  } cases[] = {{ContentCoding::kGzip, deflated("hello hello hello", 31)},
               {ContentCoding::kDeflate, deflated("hello hello hello", 15)},
               {ContentCoding::kZstd, zstd("hello hello hello")}};
  for (auto one : cases) {
    one.bytes[one.bytes.size() / 2] ^= '\x55';
    one.bytes[0] ^= '\x55';
    ContentDecoder decoder(one.coding);
    const auto ignore = [](std::string_view) {};
    auto result = decoder.feed(one.bytes, ignore);
    if (result) result = decoder.finish();
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, Errc::kInvalid);
  }
  ContentDecoder decoder(ContentCoding::kBrotli);
  const auto ignore = [](std::string_view) {};
  EXPECT_EQ(decoder.feed(std::string(64, '\xFF'), ignore).error().code, Errc::kInvalid);
  EXPECT_FALSE(decoder.feed("more", ignore).has_value());
  EXPECT_FALSE(decoder.finish().has_value());
}

TEST(ContentDecoder, SaysThatABodyIsCut) {
  for (const auto& [coding, bytes] : {std::pair{ContentCoding::kGzip, deflated("hello", 31)},
                                      {ContentCoding::kDeflate, deflated("hello", -15)},
                                      {ContentCoding::kBrotli, brotli("hello")},
                                      {ContentCoding::kZstd, zstd("hello")}}) {
    for (std::size_t size = 1; size < bytes.size(); ++size)
      EXPECT_FALSE(decode(ContentDecoder(coding), bytes.substr(0, size)).has_value()) << size;
  }
}

TEST(ContentDecoder, CountsWhatFollowsTheStream) {
  for (const auto& [coding, bytes] : {std::pair{ContentCoding::kGzip, deflated("hello", 31)},
                                      {ContentCoding::kDeflate, deflated("hello", 15)},
                                      {ContentCoding::kBrotli, brotli("hello")}}) {
    ContentDecoder decoder(coding);
    std::string out;
    const auto use = [&](std::string_view piece) { out += piece; };
    ASSERT_TRUE(decoder.feed(bytes + "xy", use).has_value());
    ASSERT_TRUE(decoder.feed("z", use).has_value());
    EXPECT_EQ(out, "hello");
    EXPECT_EQ(decoder.trailing_bytes(), 3U);
  }
}

TEST(ContentDecoder, StopsAtARatioNoTextHas) {
  const std::string bomb(20U << 20, 'a');
  for (const auto& [coding, bytes] : {std::pair{ContentCoding::kGzip, deflated(bomb, 31)},
                                      {ContentCoding::kBrotli, brotli(bomb)},
                                      {ContentCoding::kZstd, zstd(bomb)}}) {
    std::size_t size = 0;
    ContentDecoder decoder(coding);
    const auto result = decoder.feed(bytes, [&](std::string_view piece) { size += piece.size(); });
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, Errc::kTooLarge);
    EXPECT_LE(size, kDecodeRatioFloorBytes + kMaxDecodeRatio * bytes.size() + 16384);
  }
}

TEST(ContentDecoder, StopsAtTheAbsoluteLimitThroughStackedCodings) {
  const std::string text(4000, 'a');
  auto decoder = ContentDecoder::open("gzip, gzip", {.max_bytes = 3000});
  ASSERT_TRUE(decoder.has_value());
  std::size_t size = 0;
  const auto result = decoder->feed(deflated(deflated(text, 31), 31),
                                    [&](std::string_view piece) { size += piece.size(); });
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Errc::kTooLarge);
  EXPECT_LE(size, 3000U);
}

TEST(ContentDecoder, RefusesAWindowThatHttpDoesNotAllow) {
  std::string text;
  unsigned seed = 1;
  while (text.size() < (1U << 20)) {
    seed = seed * 1103515245U + 12345U;
    text.push_back(static_cast<char>(seed >> 16));
  }
  EXPECT_TRUE(decode(ContentDecoder(ContentCoding::kZstd), zstd(text, 23)).has_value());
  EXPECT_FALSE(decode(ContentDecoder(ContentCoding::kZstd), zstd(text, 24)).has_value());
}

TEST(ContentDecoder, RefusesCodingsItCannotUndo) {
  EXPECT_EQ(ContentDecoder::open("compress").error().code, Errc::kUnsupported);
  EXPECT_EQ(ContentDecoder::open("gzip, exotic").error().code, Errc::kUnsupported);
  EXPECT_EQ(ContentDecoder::open("gzip,gzip,gzip,gzip").error().code, Errc::kTooLarge);
  EXPECT_FALSE(ContentDecoder::open("identity").value().is_encoded());
  EXPECT_TRUE(ContentDecoder::open("br").value().is_encoded());
}

}  // namespace
}  // namespace aispm::codec
