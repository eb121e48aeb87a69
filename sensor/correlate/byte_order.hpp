// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "sensor/model/records.hpp"

namespace aispm::sensor {

// Makes one direction's chunks a stream: what is missing before a chunk, and which of its bytes are
// new. Not thread-safe.
class ByteOrder {
 public:
  struct Step {
    std::uint64_t lost = 0;      // bytes missing before `bytes`
    std::uint64_t repeated = 0;  // bytes of the chunk that were there before
    std::string_view bytes;      // the new ones, in the chunk
  };

  // A stream joined midway begins where its first chunk does; one seen from its start begins at 0.
  Step next(const StreamChunk& chunk) {
    const std::uint64_t expected = begun_ ? next_ : (chunk.from_start ? 0 : chunk.offset);
    begun_ = true;
    Step step;
    step.bytes = chunk.bytes;
    if (chunk.offset < expected) {
      step.repeated = std::min<std::uint64_t>(expected - chunk.offset, step.bytes.size());
      step.bytes.remove_prefix(static_cast<std::size_t>(step.repeated));
    }
    next_ = std::max(expected, chunk.offset + chunk.bytes.size());
    if (chunk.offset > expected) step.lost = chunk.offset - expected;
    return step;
  }

  std::uint64_t next_offset() const { return next_; }

 private:
  std::uint64_t next_ = 0;
  bool begun_ = false;
};

}  // namespace aispm::sensor
