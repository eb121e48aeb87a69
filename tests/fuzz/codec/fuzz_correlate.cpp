// SPDX-License-Identifier: Apache-2.0
// One stream of any source: [what and length] bytes, over and over. Whatever comes, each announced
// request ends in one call, nothing is held at the end, and coverage never shows more than all.
#include <algorithm>
#include <cstdlib>

#include "sensor/correlate/correlator.hpp"

namespace {

using namespace aispm::sensor;

// What the first byte of each piece says; only the first piece's says what stream it is.
constexpr unsigned kToReader = 1;
constexpr unsigned kHole = 2;
constexpr unsigned kStdio = 4;
constexpr unsigned kPlain = 8;
constexpr unsigned kMidway = 16;
constexpr unsigned kSocket = 32;

void describe(unsigned what, StreamChunk& chunk) {
  chunk.key.process.pid = 1;
  chunk.actor.id = chunk.key.process;
  chunk.from_start = (what & kMidway) == 0;
  if ((what & kStdio) != 0) {
    chunk.key.source = StreamSource::kStdio;
    chunk.peer.pid = 2;
  } else if ((what & kPlain) != 0) {
    chunk.key.source = StreamSource::kPlainSocket;
  }
  if ((what & kSocket) == 0) return;
  chunk.socket.emplace();
  chunk.socket->cookie = 7;
  chunk.socket->destination.port = 443;
}

void check(const Coverage::Report& seen) {
  if (seen.coverage.plaintext_bytes > seen.coverage.wire_bytes) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::size_t requests = 0;
  std::size_t calls = 0;
  Correlator correlator(
      {},
      [&](const Observation& one) {
        requests += one.kind == Observation::Kind::kRequest ? 1 : 0;
        calls += one.kind == Observation::Kind::kCall ? 1 : 0;
      },
      check);
  std::uint64_t offsets[2] = {0, 0};
  StreamChunk chunk;
  if (size > 0) describe(data[0], chunk);
  while (size > 2) {
    // The length is the second byte, times 16.
    const std::size_t side = data[0] & kToReader;
    const std::size_t length = std::min<std::size_t>(data[1] * 16U, size - 2);
    if ((data[0] & kHole) != 0) offsets[side] += data[1];
    chunk.direction = side == 0 ? Direction::kWrite : Direction::kRead;
    chunk.offset = offsets[side];
    chunk.bytes.assign(reinterpret_cast<const char*>(data) + 2, length);
    chunk.time.nanoseconds += 1000;
    offsets[side] += length;
    correlator.take(chunk);
    data += 2 + length;
    size -= 2 + length;
  }
  correlator.end_process(chunk.key.process, chunk.time);
  correlator.close_all(chunk.time);
  if (requests != calls || correlator.held_bytes() != 0) std::abort();
  return 0;
}
