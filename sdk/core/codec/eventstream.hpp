// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sdk/core/common/result.hpp"

// application/vnd.amazon.eventstream: how AWS streams (Bedrock's replies). A message is a prelude
// (total size, size of the headers, CRC-32 of both), headers, payload and a CRC-32 of all; numbers
// are big endian.
namespace aispm::codec {

// One message.
inline constexpr std::size_t kMaxEventStreamMessageBytes = 1U << 20;
inline constexpr std::size_t kMaxEventStreamHeaders = 64;

// Views live until the parser is used again.
struct EventStreamMessage {
  std::string_view message_type;  // ":message-type": "event", "exception", "error"
  // ":event-type", ":exception-type" or ":error-code": what happened.
  std::string_view name;
  std::string_view content_type;
  std::string_view error_message;  // ":error-message"
  std::string_view payload;
};

// Incremental parser of one direction. Both checksums are verified. Not thread-safe.
class EventStreamParser {
 public:
  explicit EventStreamParser(std::size_t limit_bytes = kMaxEventStreamMessageBytes)
      : limit_bytes_(limit_bytes) {}

  void feed(std::string_view bytes);

  // The next message; nullopt when more bytes are needed. kInvalid for a wrong checksum or a
  // malformed header, kTooLarge past the limit: the parser then stays failed.
  Result<std::optional<EventStreamMessage>> next();

  // Bytes are missing here: what is held is dropped, and the next prelude with a right checksum
  // begins the next message.
  void skip();

  // Bytes that belong to no complete message yet; at the end of the stream: it was cut.
  std::size_t held_bytes() const { return buffer_.size() - start_; }

 private:
  Result<std::optional<EventStreamMessage>> refuse(Errc code, std::string_view what);
  void seek_prelude();
  Result<EventStreamMessage> read(std::string_view message, std::uint32_t header_bytes);

  std::size_t limit_bytes_;
  std::string buffer_;
  std::size_t start_ = 0;
  bool is_seeking_ = false;
  bool failed_ = false;
};

}  // namespace aispm::codec
