// SPDX-License-Identifier: Apache-2.0
// A connection of a client process: [direction and length] bytes, over and over. Whatever comes,
// each announced request ends in one call and nothing is held at the end.
#include <cstdlib>

#include "sensor/correlate/correlator.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace aispm::sensor;
  std::size_t requests = 0;
  std::size_t calls = 0;
  Correlator correlator({}, [&](const Observation& one) {
    requests += one.kind == Observation::Kind::kRequest ? 1 : 0;
    calls += one.kind == Observation::Kind::kCall ? 1 : 0;
  });
  std::uint64_t offsets[2] = {0, 0};
  TlsChunk chunk;
  chunk.key.process.pid = 1;
  chunk.from_start = true;
  while (size > 2) {
    // Bit 0: direction, bit 1: a hole before the bytes. The length is the second byte, times 16.
    const std::size_t side = data[0] & 1;
    const std::size_t length = std::min<std::size_t>(data[1] * 16U, size - 2);
    if ((data[0] & 2) != 0) offsets[side] += data[1];
    chunk.direction = side == 0 ? Direction::kWrite : Direction::kRead;
    chunk.offset = offsets[side];
    chunk.bytes.assign(reinterpret_cast<const char*>(data) + 2, length);
    chunk.time.nanoseconds += 1000;
    offsets[side] += length;
    correlator.take(chunk);
    data += 2 + length;
    size -= 2 + length;
  }
  correlator.close_all(chunk.time);
  if (requests != calls || correlator.held_bytes() != 0) std::abort();
  return 0;
}
