// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "sensor/model/records.hpp"

namespace aispm::sensor::kernel_test {

// What one connection carried in one direction, put together by the offsets that capture gave.
struct Stream {
  std::string bytes;
  std::uint64_t missing = 0;   // bytes of holes
  std::uint64_t repeated = 0;  // bytes whose offset was seen before: must never happen
};

inline Stream join(const std::vector<TlsChunk>& chunks, const SSL* ssl, Direction direction) {
  Stream stream;
  std::uint64_t next = 0;
  for (const TlsChunk& chunk : chunks) {
    if (chunk.key.ssl != reinterpret_cast<std::uint64_t>(ssl) || chunk.direction != direction)
      continue;
    if (chunk.offset > next) stream.missing += chunk.offset - next;
    if (chunk.offset < next) stream.repeated += next - chunk.offset;
    stream.bytes += chunk.bytes;
    next = chunk.offset + chunk.bytes.size();
  }
  return stream;
}

}  // namespace aispm::sensor::kernel_test
