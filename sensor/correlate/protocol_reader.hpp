// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "sdk/core/common/time.hpp"

namespace aispm::sensor {

// Who sent the bytes, whichever end was looked at.
enum class Sender : std::uint8_t { kClient, kServer };

// Reads the protocol of one stream: both directions, in order. Reports through the context it was
// made with. A direction whose framing broke is read no further; guessing where a message starts
// would invent calls. Not thread-safe.
class ProtocolReader {
 public:
  ProtocolReader() = default;
  virtual ~ProtocolReader() = default;
  ProtocolReader(const ProtocolReader&) = delete;
  ProtocolReader& operator=(const ProtocolReader&) = delete;

  virtual void take(Sender sender, std::string_view bytes, BootTime time) = 0;
  // `size` bytes were lost before the ones that come next.
  virtual void skip(Sender sender, std::uint64_t size, BootTime time) = 0;
  // The stream or its process ended.
  virtual void close(BootTime time) = 0;
  // A reply is awaited that would be reported.
  virtual bool has_pending() const = 0;
  // Requests are still understood: what this stream says is reported by whoever reads it.
  virtual bool is_reading() const = 0;
};

// A hole larger than this is not stepped over, whatever the framing says.
inline constexpr std::uint64_t kMaxGapBytes = 64U << 20;

}  // namespace aispm::sensor
