// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "sensor/correlate/lru_map.hpp"
#include "sensor/model/records.hpp"

namespace aispm::sensor {

// Puts the segments of plain sockets in order: packets overtake each other and are sent again. What
// comes too early waits for the rest; when too much waits, the hole stays. Bounded; not
// thread-safe.
class SegmentOrder {
 public:
  static constexpr std::size_t kMaxStreams = 4096;
  static constexpr std::size_t kMaxWaitingBytes = 256U << 10;  // in one direction of a stream
  using OnChunk = std::function<void(StreamChunk)>;

  // Hands on what is in order now. Chunks of other sources pass as they are.
  void take(StreamChunk chunk, const OnChunk& on_chunk);
  // The stream is over: hands on what waits.
  void close(const StreamKey& key, const OnChunk& on_chunk);

 private:
  struct Way {
    std::uint64_t next = 0;
    std::size_t waiting_bytes = 0;
    std::map<std::uint64_t, StreamChunk> waiting;  // by offset
  };
  using Ways = std::array<Way, 2>;

  static void hand_on(Way& way, StreamChunk chunk, const OnChunk& on_chunk);
  static void hand_on_ready(Way& way, const OnChunk& on_chunk);
  static void flush(Way& way, const OnChunk& on_chunk);

  LruMap<StreamKey, Ways> streams_{kMaxStreams};
};

}  // namespace aispm::sensor
