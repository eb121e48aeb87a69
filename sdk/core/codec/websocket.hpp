// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "sdk/core/common/result.hpp"

// WebSocket (RFC 6455) with permessage-deflate (RFC 7692), one direction, as a bystander reads it
// after the 101 reply.
namespace aispm::codec::websocket {

// One message, decompressed; of a longer one the beginning is given.
inline constexpr std::size_t kMaxMessageBytes = 8U << 20;
// What one compressed message may become before its sender's compression is given up.
inline constexpr std::size_t kMaxInflatedBytes = 64U << 20;
inline constexpr std::size_t kMaxControlBytes = 125;

enum class Sender : std::uint8_t { kClient, kServer };

// What both sides agreed on: the server's Sec-WebSocket-Extensions.
struct Extensions {
  bool deflate = false;
  bool client_no_context_takeover = false;
  bool server_no_context_takeover = false;
};
// kUnsupported for any extension but permessage-deflate: it may change the framing. kInvalid for a
// malformed or repeated parameter.
Result<Extensions> read_extensions(std::string_view header);

struct Message {
  enum class Kind : std::uint8_t { kText, kBinary, kClose, kPing, kPong };
  Kind kind = Kind::kText;
  std::string_view data;         // lives during the call; kClose: the reason
  std::uint16_t close_code = 0;  // kClose; 0 when none was sent
  // False: bytes are missing, or the message was too long or could not be decompressed. `data` is
  // what can be told of its beginning.
  bool is_whole = true;
};

// Reads one direction. Memory: one message, and the 32 KiB window of deflate. Not thread-safe.
class Reader {
 public:
  using Sink = std::function<void(const Message&)>;

  Reader(Sender sender, Extensions extensions, std::size_t limit_bytes = kMaxMessageBytes);
  ~Reader();
  Reader(Reader&&) noexcept;
  Reader& operator=(Reader&&) noexcept;

  // kInvalid when the peer breaks the framing (masking of the wrong side, reserved bits or opcodes,
  // a fragmented or long control frame, a continuation of nothing): nothing more is read then.
  Result<> feed(std::string_view bytes, const Sink& sink);

  // `size` bytes are missing here. Inside a frame's payload they cost that message (and, where the
  // sender's compression carries over, all later compressed ones); elsewhere the rest is lost:
  // false.
  bool skip(std::uint64_t size);

  bool is_lost() const;
  std::size_t held_bytes() const;
  // Messages that were given with is_whole false.
  std::uint64_t broken_messages() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace aispm::codec::websocket
