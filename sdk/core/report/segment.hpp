// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sdk/core/common/result.hpp"

// The bytes of a spool file: one header, then records, all integers little-endian. Pure functions.
//
//   segment header  magic "AISPMSP1" | u64 first sequence | u64 events before | u64 lost before |
//   u32 CRC-32 of the above record header   u32 magic | u32 payload bytes | u64 sequence | u64
//   events before | u64 lost before | u32 events |
//                   u32 CRC-32 of the payload | u32 CRC-32 of the above
//   payload         a serialized aispm.v1.EventBatch with `sequence` and `events`
//
// `events before` and `lost before` count all events ever spooled and ever dropped by this spool up
// to there. So a reader that meets damage knows from the next good record exactly how many events
// the damage cost.
namespace aispm::report {

constexpr std::size_t kSegmentHeaderBytes = 36;
constexpr std::size_t kRecordHeaderBytes = 44;
constexpr std::size_t kMaxPayloadBytes = 4U << 20;

// Where something stands in the spool's history.
struct SpoolPosition {
  std::uint64_t sequence = 1;       // of the batch that comes next
  std::uint64_t events_before = 0;  // events in all batches before it
  std::uint64_t lost_before = 0;    // events dropped before it
  bool operator==(const SpoolPosition&) const = default;
};

struct RecordHeader {
  SpoolPosition position;
  std::uint32_t payload_bytes = 0;
  std::uint32_t events = 0;
  std::uint32_t payload_crc = 0;

  std::size_t record_bytes() const { return kRecordHeaderBytes + payload_bytes; }
};

std::uint32_t crc32(std::string_view bytes);

std::string encode_segment_header(const SpoolPosition& start);
// kInvalid when the bytes are too few, of another kind or damaged.
Result<SpoolPosition> decode_segment_header(std::string_view bytes);

std::string encode_record_header(const SpoolPosition& position, std::uint32_t events,
                                 std::string_view payload);
// Reads the header at the front of `bytes`; the payload may be missing. kInvalid as above.
Result<RecordHeader> decode_record_header(std::string_view bytes);

// What a walk over the bytes of one segment found.
struct SegmentScan {
  SpoolPosition start;
  SpoolPosition end;             // where the next record would go
  std::uint64_t good_bytes = 0;  // up to the end of the last good record
  std::uint64_t bad_bytes = 0;   // behind it: a write cut short, or damage
  // Events of the first bad record when its header is whole, else 0: all that a cut-off write can
  // tell.
  std::uint32_t torn_events = 0;
};

// Walks to the end or to the first damage. kInvalid when not even the segment header is good.
Result<SegmentScan> scan_segment(std::string_view bytes);

}  // namespace aispm::report
