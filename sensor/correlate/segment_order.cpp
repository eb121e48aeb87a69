// SPDX-License-Identifier: Apache-2.0
#include "sensor/correlate/segment_order.hpp"

#include <utility>

namespace aispm::sensor {

void SegmentOrder::hand_on(Way& way, StreamChunk chunk, const OnChunk& on_chunk) {
  const std::uint64_t end = chunk.offset + chunk.bytes.size();
  if (end <= way.next) return;  // all of it was sent before
  if (chunk.offset < way.next) {
    chunk.bytes.erase(0, way.next - chunk.offset);
    chunk.offset = way.next;
  }
  way.next = end;
  on_chunk(std::move(chunk));
}

void SegmentOrder::hand_on_ready(Way& way, const OnChunk& on_chunk) {
  while (!way.waiting.empty() && way.waiting.begin()->first <= way.next) {
    StreamChunk chunk = std::move(way.waiting.begin()->second);
    way.waiting.erase(way.waiting.begin());
    way.waiting_bytes -= chunk.bytes.size();
    hand_on(way, std::move(chunk), on_chunk);
  }
}

void SegmentOrder::flush(Way& way, const OnChunk& on_chunk) {
  for (auto& [offset, chunk] : way.waiting) hand_on(way, std::move(chunk), on_chunk);
  way.waiting.clear();
  way.waiting_bytes = 0;
}

void SegmentOrder::take(StreamChunk chunk, const OnChunk& on_chunk) {
  if (chunk.key.source != StreamSource::kPlainSocket) return on_chunk(std::move(chunk));
  Ways* ways = streams_.find(chunk.key);
  if (ways == nullptr) {
    if (auto dropped = streams_.put(chunk.key, {}))
      for (Way& way : dropped->second) flush(way, on_chunk);
    ways = streams_.find(chunk.key);
  }
  Way& way = (*ways)[static_cast<std::size_t>(chunk.direction)];
  if (chunk.offset <= way.next) {
    hand_on(way, std::move(chunk), on_chunk);
    return hand_on_ready(way, on_chunk);
  }
  const std::uint64_t offset = chunk.offset;
  const std::size_t size = chunk.bytes.size();
  if (way.waiting.emplace(offset, std::move(chunk)).second) way.waiting_bytes += size;
  if (way.waiting_bytes > kMaxWaitingBytes) flush(way, on_chunk);
}

void SegmentOrder::close(const StreamKey& key, const OnChunk& on_chunk) {
  Ways* ways = streams_.find(key);
  if (ways == nullptr) return;
  for (Way& way : *ways) flush(way, on_chunk);
  streams_.erase(key);
}

}  // namespace aispm::sensor
