// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/result.hpp"

// HTTP/2 (RFC 9113, HPACK RFC 7541) of one connection as a bystander reads it: both directions,
// from the start or from any frame on.
namespace aispm::codec::http2 {

// One header block, with its continuations, as sent.
inline constexpr std::size_t kMaxHeaderBlockBytes = 256U << 10;
// One header list decoded: names and values.
inline constexpr std::size_t kMaxHeaderListBytes = 128U << 10;
inline constexpr std::size_t kMaxFields = 256;
// Streams followed at once; beyond, the oldest one is dropped and counted.
inline constexpr std::size_t kMaxStreams = 1024;
// Payload of one frame. RFC 9113 lets a peer allow up to 2^24 - 1; longer than this is taken for
// bytes that are no HTTP/2.
inline constexpr std::size_t kMaxFrameBytes = 16'777'215;
// Dynamic table that a peer may ask for.
inline constexpr std::size_t kMaxTableBytes = 64U << 10;
inline constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// Who sent the bytes.
enum class Side : std::uint8_t { kClient, kServer };

struct Field {
  std::string name;
  std::string value;
  // The name or value stood in a table that was built before we joined.
  bool is_unknown = false;
};

struct Head {
  std::vector<Field> fields;  // pseudo fields (":path") first, as sent
  // False when some fields are unknown, too many or too long: what is absent may have been there.
  bool is_complete = true;
  std::uint16_t status = 0;  // replies

  // Value of the first field of that name (lower case), empty when absent or unknown.
  std::string_view value(std::string_view name) const;
  std::string_view method() const { return value(":method"); }
  std::string_view path() const { return value(":path"); }
  // :authority, else the host field.
  std::string_view authority() const;
  std::string_view content_type() const { return value("content-type"); }
  std::string_view content_encoding() const { return value("content-encoding"); }
};

struct Event {
  enum class Kind : std::uint8_t {
    kHead,      // request or reply head; an interim (1xx) reply has its own
    kTrailers,  // fields after the data
    kData,      // `data`: the next bytes of the body, without padding
    kGap,       // `lost_bytes` of the body are missing here
    kEnd,       // this side will send no more on the stream
    kReset,     // either side gave the stream up: `error_code`; the stream is forgotten
    kPromise,   // the server announced stream `promised`; `head` is the request it answers
    kDropped,   // more than kMaxStreams: this one is followed no longer
    kLost,      // (stream 0) the rest of this direction cannot be read: `why`
  };
  Kind kind = Kind::kData;
  std::uint32_t stream = 0;
  Side from = Side::kClient;
  const Head* head = nullptr;  // kHead, kTrailers, kPromise; lives during the call
  std::string_view data;       // kData; lives during the call
  std::uint64_t lost_bytes = 0;
  std::uint32_t error_code = 0;
  std::uint32_t promised = 0;
  std::string_view why;
};

struct Counters {
  std::uint64_t frames = 0;
  std::uint64_t streams = 0;
  std::uint64_t grpc_streams = 0;    // content-type application/grpc*
  std::uint64_t unknown_fields = 0;  // see Field::is_unknown
  std::uint64_t broken_heads = 0;    // header blocks that could not be read
  std::uint64_t lost_bytes = 0;      // given to skip()
  std::uint64_t lost_sides = 0;      // directions given up
  std::uint64_t dropped_streams = 0;
};

// How much bytes look like the start of one direction of an HTTP/2 connection.
enum class Likeness : std::uint8_t {
  kNo,
  kNeedMore,  // not enough bytes to tell
  kFrame,     // a plausible frame: good enough only when something else speaks for HTTP/2
  kStart,  // the client's connection preface, or the settings frame that a server must begin with
};
Likeness likeness(Side side, std::string_view bytes);

// Follows one connection. Memory: the header block being read, the two dynamic tables and a few
// bytes per stream; data is passed on, never kept. Not thread-safe.
//
// Joined midway (`from_start` false) the first byte of each side must begin a frame. The dynamic
// tables are unknown then: fields that refer to them come as is_unknown, all later ones are read,
// and streams seen first by their data have no head. Bytes that capture lost are stepped over with
// skip() when they lie inside one frame; else that direction ends with kLost, because nothing in
// the bytes tells where the next frame begins.
class Observer {
 public:
  using Sink = std::function<void(const Event&)>;

  explicit Observer(bool from_start);
  ~Observer();
  Observer(Observer&&) noexcept;
  Observer& operator=(Observer&&) noexcept;

  // The next bytes of one direction. kInvalid when they are no HTTP/2 (also given as kLost, once);
  // the other direction goes on.
  Result<> feed(Side side, std::string_view bytes, const Sink& sink);

  // `size` bytes of that direction are missing here.
  void skip(Side side, std::uint64_t size, const Sink& sink);

  bool is_lost(Side side) const;
  const Counters& counters() const;
  std::size_t stream_count() const;
  // Bytes held for header blocks that are not complete.
  std::size_t held_bytes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace aispm::codec::http2
