// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/report/segment.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace aispm::report {
namespace {

using ::testing::HasSubstr;

std::string record(const SpoolPosition& position, std::uint32_t events,
                   const std::string& payload) {
  return encode_record_header(position, events, payload) + payload;
}

// Three batches of 2, 0 and 5 events; 4 events were dropped before the third.
std::string sample() {
  return encode_segment_header({10, 100, 7}) + record({10, 100, 7}, 2, "first") +
         record({11, 102, 7}, 0, "") + record({12, 102, 11}, 5, std::string(1000, 'x'));
}

TEST(Segment, Crc32IsTheOneOfIeee8023) {
  EXPECT_EQ(crc32("123456789"), 0xcbf43926U);
  EXPECT_EQ(crc32(""), 0U);
}

TEST(Segment, Crc32IsTheSameByBitsAtEverySize) {
  std::string bytes;
  for (unsigned size = 0; size < 70; ++size) {
    std::uint32_t crc = 0xffffffffU;
    for (const char c : bytes) {
      crc ^= static_cast<std::uint8_t>(c);
      for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320U : 0U);
    }
    EXPECT_EQ(crc32(bytes), ~crc) << size;
    bytes += static_cast<char>(size * 151 + 7);
  }
}

TEST(Segment, HeaderGoesThroughUnchanged) {
  const SpoolPosition start{1, 0, UINT64_MAX};
  const std::string bytes = encode_segment_header(start);
  EXPECT_EQ(bytes.size(), kSegmentHeaderBytes);
  EXPECT_EQ(decode_segment_header(bytes).value(), start);
}

TEST(Segment, ScanFindsTheEnd) {
  const SegmentScan scan = scan_segment(sample()).value();
  EXPECT_EQ(scan.start, (SpoolPosition{10, 100, 7}));
  EXPECT_EQ(scan.end, (SpoolPosition{13, 107, 11}));
  EXPECT_EQ(scan.good_bytes, sample().size());
  EXPECT_EQ(scan.bad_bytes, 0U);
}

TEST(Segment, EveryCutIsFoundAndKeepsTheWholeRecordsBeforeIt) {
  const std::string whole = sample();
  const std::size_t first = kSegmentHeaderBytes + kRecordHeaderBytes + 5;
  const std::size_t second = first + kRecordHeaderBytes;
  for (std::size_t size = kSegmentHeaderBytes; size < whole.size(); ++size) {
    const SegmentScan scan = scan_segment(whole.substr(0, size)).value();
    const std::size_t good = size < first ? kSegmentHeaderBytes : size < second ? first : second;
    EXPECT_EQ(scan.good_bytes, good) << size;
    EXPECT_EQ(scan.good_bytes + scan.bad_bytes, size);
  }
}

TEST(Segment, ACutPayloadTellsHowManyEventsItHeld) {
  const std::string whole = sample();
  EXPECT_EQ(scan_segment(whole.substr(0, whole.size() - 1)).value().torn_events, 5U);
}

TEST(Segment, EveryFlippedByteIsFound) {
  const std::string whole = sample();
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x40);
    const auto scan = scan_segment(damaged);
    EXPECT_TRUE(!scan || scan->bad_bytes > 0) << at;
  }
}

TEST(Segment, ARecordOfAnotherPlaceIsDamage) {
  const std::string bytes = encode_segment_header({1, 0, 0}) + record({2, 0, 0}, 1, "x");
  EXPECT_GT(scan_segment(bytes).value().bad_bytes, 0U);
}

TEST(Segment, RefusesAPayloadAboveTheLimit) {
  const std::string header =
      encode_record_header({1, 0, 0}, 1, std::string(kMaxPayloadBytes + 1, 'x'));
  const auto decoded = decode_record_header(header);
  ASSERT_FALSE(decoded);
  EXPECT_THAT(decoded.error().message, HasSubstr("payload larger"));
}

TEST(Segment, RefusesFilesOfAnotherKind) {
  EXPECT_FALSE(scan_segment(""));
  EXPECT_FALSE(scan_segment(std::string(4096, '\0')));
  EXPECT_FALSE(scan_segment("#!/bin/sh\n"));
}

}  // namespace
}  // namespace aispm::report
