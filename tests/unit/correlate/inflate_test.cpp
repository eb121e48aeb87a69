// SPDX-License-Identifier: Apache-2.0
#include "sensor/correlate/inflate.hpp"

#include <gmock/gmock.h>

#include "tests/unit/correlate/plaintext.hpp"

namespace aispm::sensor {
namespace {

Result<std::string> inflate_in_steps(Inflater::Format format, std::string_view bytes,
                                     std::size_t step) {
  Inflater inflater(format);
  std::string out;
  while (!bytes.empty()) {
    AISPM_CHECK(
        inflater.feed(bytes.substr(0, step), [&](std::string_view piece) { out += piece; }));
    bytes.remove_prefix(std::min(step, bytes.size()));
  }
  return out;
}

TEST(Inflater, ReadsGzipZlibAndRawAtEveryStep) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += std::to_string(i * 7919) + ",";
  for (const int window : {31, 15, -15}) {
    const auto format = window == 31 ? Inflater::Format::kGzip : Inflater::Format::kDeflate;
    for (const std::size_t step : {std::size_t{1}, std::size_t{2}, std::size_t{1000}, SIZE_MAX})
      EXPECT_EQ(inflate_in_steps(format, deflated(text, window), step).value(), text)
          << window << " " << step;
  }
}

TEST(Inflater, RefusesABrokenStreamAndStaysFailed) {
  std::string bytes = deflated("hello hello hello", 31);
  bytes[0] = 'x';
  Inflater inflater(Inflater::Format::kGzip);
  const auto ignore = [](std::string_view) {};
  EXPECT_EQ(inflater.feed(bytes, ignore).error().code, Errc::kInvalid);
  EXPECT_FALSE(inflater.feed("more", ignore).has_value());
}

TEST(Inflater, StopsAtARatioNoTextHas) {
  const std::string bomb = deflated(std::string(20U << 20, 'a'), 31);
  std::size_t size = 0;
  Inflater inflater(Inflater::Format::kGzip);
  const auto result = inflater.feed(bomb, [&](std::string_view piece) { size += piece.size(); });
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Errc::kTooLarge);
  EXPECT_LE(size, kInflateRatioFloorBytes + kMaxInflateRatio * bomb.size() + 16384);
}

}  // namespace
}  // namespace aispm::sensor
