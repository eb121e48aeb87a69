// SPDX-License-Identifier: Apache-2.0
#include "sensor/correlate/segment_order.hpp"

#include <gmock/gmock.h>

namespace aispm::sensor {
namespace {

StreamChunk chunk(std::uint64_t offset, std::string bytes,
                  StreamSource source = StreamSource::kPlainSocket) {
  StreamChunk one;
  one.key.source = source;
  one.key.ssl = 5;
  one.offset = offset;
  one.bytes = std::move(bytes);
  return one;
}

class SegmentOrderTest : public testing::Test {
 protected:
  void take(StreamChunk one) {
    order_.take(std::move(one), [this](const StreamChunk& got) { add(got); });
  }
  void add(const StreamChunk& got) {
    text_ += std::to_string(got.offset) + ":" + got.bytes.substr(0, 8) + " ";
    bytes_ += got.bytes.size();
  }
  SegmentOrder order_;
  std::string text_;
  std::size_t bytes_ = 0;
};

TEST_F(SegmentOrderTest, LateSegmentIsPutInItsPlace) {
  take(chunk(0, "ab"));
  take(chunk(4, "ef"));
  EXPECT_EQ(text_, "0:ab ");
  take(chunk(2, "cd"));
  EXPECT_EQ(text_, "0:ab 2:cd 4:ef ");
}

TEST_F(SegmentOrderTest, SegmentSentAgainIsDroppedAndOverlapIsTrimmed) {
  take(chunk(0, "abcd"));
  take(chunk(0, "abcd"));
  take(chunk(2, "cdef"));
  EXPECT_EQ(text_, "0:abcd 4:ef ");
}

TEST_F(SegmentOrderTest, HoleStaysWhenTooMuchWaits) {
  take(chunk(10, std::string(200'000, 'x')));
  EXPECT_EQ(bytes_, 0U);
  take(chunk(200'010, std::string(100'000, 'y')));
  EXPECT_EQ(text_, "10:xxxxxxxx 200010:yyyyyyyy ");
}

TEST_F(SegmentOrderTest, CloseHandsOnWhatWaits) {
  take(chunk(4, "ef"));
  order_.close(chunk(0, "").key, [this](const StreamChunk& got) { add(got); });
  EXPECT_EQ(text_, "4:ef ");
}

TEST_F(SegmentOrderTest, OtherSourcesPassAsTheyAre) {
  take(chunk(4, "ef", StreamSource::kTls));
  take(chunk(4, "ef", StreamSource::kTls));
  EXPECT_EQ(text_, "4:ef 4:ef ");
}

TEST_F(SegmentOrderTest, DirectionsAreApart) {
  StreamChunk read = chunk(0, "ab");
  StreamChunk write = chunk(0, "cd");
  write.direction = Direction::kWrite;
  take(read);
  take(write);
  EXPECT_EQ(text_, "0:ab 0:cd ");
}

}  // namespace
}  // namespace aispm::sensor
