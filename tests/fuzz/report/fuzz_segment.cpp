// SPDX-License-Identifier: Apache-2.0
// A spool file of any bytes: the walk accounts for each byte, and what it calls good stays good
// without the rest. A second pass mends the checksums first, so that the fields behind them are
// reached too.
#include <algorithm>
#include <cstdlib>

#include "sdk/core/report/segment.hpp"

namespace {

using namespace aispm::report;

void put32(std::string& bytes, std::size_t at, std::uint32_t value) {
  for (std::size_t i = 0; i < 4; ++i) bytes[at + i] = static_cast<char>(value >> (8 * i));
}

std::string with_good_headers(std::string bytes) {
  if (bytes.size() < kSegmentHeaderBytes) return bytes;
  put32(bytes, 32, crc32(std::string_view(bytes).substr(0, 32)));
  std::size_t at = kSegmentHeaderBytes;
  while (bytes.size() - at >= kRecordHeaderBytes) {
    put32(bytes, at + 40, crc32(std::string_view(bytes).substr(at, 40)));
    const auto header = decode_record_header(std::string_view(bytes).substr(at));
    if (!header || header->record_bytes() > bytes.size() - at) break;
    at += header->record_bytes();
  }
  return bytes;
}

void check(std::string_view bytes) {
  const auto scan = scan_segment(bytes);
  if (!scan) return;
  if (scan->good_bytes + scan->bad_bytes != bytes.size()) std::abort();
  if (scan->bad_bytes == 0 && scan->torn_events != 0) std::abort();
  const auto again = scan_segment(bytes.substr(0, scan->good_bytes));
  if (!again || again->bad_bytes != 0 || again->end != scan->end) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  check(bytes);
  check(with_good_headers(bytes));
  (void)decode_record_header(bytes).has_value();
  return 0;
}
