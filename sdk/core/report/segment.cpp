// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/report/segment.hpp"

#include <array>
#include <bit>
#include <cstring>

namespace aispm::report {
namespace {

constexpr std::string_view kSegmentMagic = "AISPMSP1";
constexpr std::uint32_t kRecordMagic = 0x43455241;  // "AREC"

// CRC-32 of IEEE 802.3, eight tables so that a byte costs an eighth of a lookup chain.
constexpr std::array<std::array<std::uint32_t, 256>, 8> make_tables() {
  std::array<std::array<std::uint32_t, 256>, 8> tables{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0xedb88320U : 0U);
    tables[0][i] = value;
  }
  for (std::size_t i = 0; i < 256; ++i)
    for (std::size_t t = 1; t < tables.size(); ++t)
      tables[t][i] = (tables[t - 1][i] >> 8) ^ tables[0][tables[t - 1][i] & 0xff];
  return tables;
}

constexpr auto kTables = make_tables();

void put(std::string& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
}

std::uint64_t get(std::string_view bytes, std::size_t at, int count) {
  std::uint64_t value = 0;
  for (int i = 0; i < count; ++i)
    value |= static_cast<std::uint64_t>(
                 static_cast<std::uint8_t>(bytes[at + static_cast<std::size_t>(i)]))
             << (8 * i);
  return value;
}

// Four bytes as they stand in a file, least first.
std::uint32_t load32(const char* bytes) {
  std::uint32_t value = 0;
  std::memcpy(&value, bytes, sizeof value);
  if constexpr (std::endian::native == std::endian::big) value = __builtin_bswap32(value);
  return value;
}

std::uint32_t get32(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint32_t>(get(bytes, at, 4));
}

}  // namespace

std::uint32_t crc32(std::string_view bytes) {
  std::uint32_t crc = 0xffffffffU;
  const char* text = bytes.data();
  const char* const end = text + bytes.size();
  for (; end - text >= 8; text += 8) {
    const std::uint32_t low = crc ^ load32(text);
    const std::uint32_t high = load32(text + 4);
    crc = kTables[7][low & 0xff] ^ kTables[6][(low >> 8) & 0xff] ^ kTables[5][(low >> 16) & 0xff] ^
          kTables[4][low >> 24] ^ kTables[3][high & 0xff] ^ kTables[2][(high >> 8) & 0xff] ^
          kTables[1][(high >> 16) & 0xff] ^ kTables[0][high >> 24];
  }
  for (; text != end; ++text)
    crc = (crc >> 8) ^ kTables[0][(crc ^ static_cast<std::uint8_t>(*text)) & 0xff];
  return ~crc;
}

std::string encode_segment_header(const SpoolPosition& start) {
  std::string out(kSegmentMagic);
  put(out, start.sequence, 8);
  put(out, start.events_before, 8);
  put(out, start.lost_before, 8);
  put(out, crc32(out), 4);
  return out;
}

Result<SpoolPosition> decode_segment_header(std::string_view bytes) {
  if (bytes.size() < kSegmentHeaderBytes) return fail(Errc::kInvalid, "segment header: cut short");
  if (!bytes.starts_with(kSegmentMagic))
    return fail(Errc::kInvalid, "segment header: not a spool file");
  if (get32(bytes, 32) != crc32(bytes.substr(0, 32)))
    return fail(Errc::kInvalid, "segment header: checksum mismatch");
  return SpoolPosition{get(bytes, 8, 8), get(bytes, 16, 8), get(bytes, 24, 8)};
}

std::string encode_record_header(const SpoolPosition& position, std::uint32_t events,
                                 std::string_view payload) {
  std::string out;
  out.reserve(kRecordHeaderBytes);
  put(out, kRecordMagic, 4);
  put(out, payload.size(), 4);
  put(out, position.sequence, 8);
  put(out, position.events_before, 8);
  put(out, position.lost_before, 8);
  put(out, events, 4);
  put(out, crc32(payload), 4);
  put(out, crc32(out), 4);
  return out;
}

Result<RecordHeader> decode_record_header(std::string_view bytes) {
  if (bytes.size() < kRecordHeaderBytes) return fail(Errc::kInvalid, "record header: cut short");
  if (get32(bytes, 0) != kRecordMagic) return fail(Errc::kInvalid, "record header: wrong magic");
  if (get32(bytes, 40) != crc32(bytes.substr(0, 40)))
    return fail(Errc::kInvalid, "record header: checksum mismatch");
  RecordHeader header;
  header.payload_bytes = get32(bytes, 4);
  header.position = {get(bytes, 8, 8), get(bytes, 16, 8), get(bytes, 24, 8)};
  header.events = get32(bytes, 32);
  header.payload_crc = get32(bytes, 36);
  if (header.payload_bytes > kMaxPayloadBytes)
    return fail(Errc::kInvalid,
                "record header: payload larger than " + std::to_string(kMaxPayloadBytes));
  return header;
}

Result<SegmentScan> scan_segment(std::string_view bytes) {
  SegmentScan scan;
  AISPM_TRY(scan.start, decode_segment_header(bytes));
  scan.end = scan.start;
  scan.good_bytes = kSegmentHeaderBytes;
  while (scan.good_bytes < bytes.size()) {
    const std::string_view rest = bytes.substr(scan.good_bytes);
    scan.bad_bytes = rest.size();
    const auto header = decode_record_header(rest);
    // A whole record of another place in the history is damage too (a file put back by hand, say).
    if (!header || header->position.sequence != scan.end.sequence ||
        header->position.events_before != scan.end.events_before)
      return scan;
    if (rest.size() < header->record_bytes() ||
        crc32(rest.substr(kRecordHeaderBytes, header->payload_bytes)) != header->payload_crc) {
      scan.torn_events = header->events;
      return scan;
    }
    scan.good_bytes += header->record_bytes();
    scan.bad_bytes = 0;
    scan.end = {header->position.sequence + 1, header->position.events_before + header->events,
                header->position.lost_before};
  }
  return scan;
}

}  // namespace aispm::report
