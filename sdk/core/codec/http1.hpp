// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "sdk/core/common/result.hpp"

// Strict HTTP/1.1 framing (RFC 9112) of one direction of one connection. What two parsers could
// read differently is refused, never repaired: Content-Length with Transfer-Encoding, repeated or
// malformed lengths, a transfer coding other than `chunked`, tabs around either or a Host, bare CR
// or LF, line folding, a space before the colon, control bytes, a missing or repeated Host, a
// target that is neither a path nor an absolute URI nor `*`, malformed chunk extensions, framing in
// trailers. tests/fuzz/http1 compares with other parsers. Errors are kInvalid (the peer sent
// nonsense) or kTooLarge (a limit below); after one, the connection is lost.
namespace aispm::codec::http1 {

// Request line or status line plus headers, with the empty line.
inline constexpr std::size_t kMaxHeadBytes = 64U << 10;
inline constexpr std::size_t kMaxHeaders = 100;
// One chunk-size line, extensions included, without its CRLF.
inline constexpr std::size_t kMaxChunkLineBytes = 256;
inline constexpr std::size_t kMaxChunkSizeDigits = 15;
// All trailers of one body.
inline constexpr std::size_t kMaxTrailerBytes = 8U << 10;
// Content-Length digits; 18 digits never overflow 63 bits.
inline constexpr std::size_t kMaxLengthDigits = 18;

struct Header {
  std::string_view name;   // as sent, compare with equal_name()
  std::string_view value;  // without surrounding spaces and tabs
};

// ASCII case-insensitive equality of header names and of coding and option tokens.
bool equal_name(std::string_view left, std::string_view right);

enum class BodyKind : std::uint8_t {
  kNone,        // no body follows
  kLength,      // `content_length` bytes, at least 1
  kChunked,     // chunks, then trailers
  kUntilClose,  // replies only: the peer's close ends it
  kTunnel,      // not HTTP any more: 101, or a 2xx reply to CONNECT
};

// One message head. Views point into the buffer given to parse() and the header list into the
// parser: both live until the buffer changes or the parser parses again.
struct Head {
  // Requests.
  std::string_view method;
  std::string_view target;
  // Replies: 100..599 (up to 999 is accepted).
  std::uint16_t status = 0;
  std::string_view reason;

  std::uint8_t minor_version = 1;  // HTTP/1.0 or HTTP/1.1
  std::span<const Header> headers;
  // Bytes of the buffer that this head took; the body starts there.
  std::size_t size_bytes = 0;

  BodyKind body = BodyKind::kNone;
  std::uint64_t content_length = 0;
  // The value of Content-Length even where no body follows it (HEAD, 304).
  std::optional<std::uint64_t> declared_length;
  // The connection may carry another message after this one.
  bool keep_alive = true;
  bool expects_continue = false;
  bool is_interim = false;  // 1xx other than 101: another head follows for the same request

  // Empty when absent. `upgrade` is set only together with `Connection: upgrade`.
  std::string_view host;
  std::string_view upgrade;
  std::string_view content_type;
  std::string_view content_encoding;

  // First header of that name, or nullopt.
  std::optional<std::string_view> find(std::string_view name) const;
};

// Reads heads from a contiguous buffer that starts at a message boundary. Feed the same growing
// buffer until a head comes out: bytes looked at once are not scanned again, so a head that drips
// in byte by byte costs linear time. Allocates for more headers than it has seen. Not thread-safe.
class HeadParser {
 public:
  enum class Role : std::uint8_t { kRequest, kReply };

  explicit HeadParser(Role role);

  // nullopt: more bytes are needed. `buffered` must begin with the bytes seen since the last head
  // or reset(); it may have moved in memory. For replies `request_method` decides whether a body
  // follows (HEAD, CONNECT).
  Result<std::optional<Head>> parse(std::string_view buffered,
                                    std::string_view request_method = {});

  // Forgets a half-seen head.
  void reset();

 private:
  Role role_;
  std::size_t line_start_ = 0;   // where the line that is not complete yet begins
  std::size_t scanned_ = 0;      // bytes known to hold no further line end
  std::vector<Header> headers_;  // at most kMaxHeaders slots
};

// Cuts the body out of the bytes that follow a head.
//
//   BodyReader body(head);
//   while (!body.done()) {
//     AISPM_TRY(const auto slice, body.next(bytes));     // bytes: whatever has arrived and was not
//     consumed use(slice.data); bytes.remove_prefix(slice.consumed); if (slice.consumed == 0) wait
//     for more, or finish() at the peer's close
//   }
// Holds no bytes except a partial chunk line. Not thread-safe.
class BodyReader {
 public:
  struct Slice {
    std::string_view data;     // body bytes without framing, inside the bytes given; may be empty
    std::size_t consumed = 0;  // bytes used, framing included
  };

  BodyReader() = default;  // no body: done at once
  explicit BodyReader(const Head& head) : BodyReader(head.body, head.content_length) {}
  BodyReader(BodyKind kind, std::uint64_t content_length);

  // Body bytes up to the end of the current chunk. Consumes nothing only when `bytes` is empty or
  // the body is done.
  Result<Slice> next(std::string_view bytes);

  // The peer closed. Fine when the body is complete or ends by close; kInvalid when it was cut.
  Result<> finish();

  bool done() const { return state_ == State::kDone; }
  // Body bytes delivered so far.
  std::uint64_t body_bytes() const { return body_bytes_; }

 private:
  enum class State : std::uint8_t {
    kLength,
    kUntilClose,
    kChunkLine,
    kChunkLineEnd,
    kChunkData,
    kChunkDataCr,
    kChunkDataLf,
    kTrailerStart,
    kTrailerName,
    kTrailerValue,
    kTrailerLf,
    kLastLf,
    kDone
  };
  Result<std::size_t> read_framing(std::string_view bytes);
  Result<> step_chunk_line(char byte);
  Result<> step_extension(char byte);
  Result<> step_trailer(char byte);
  Result<> end_extension();
  void step_trailer_name(char byte);
  Result<> end_trailer_name() const;
  Result<> end_chunk_line();

  State state_ = State::kDone;
  std::uint64_t left_ = 0;  // bytes left of the body or of the chunk
  std::uint64_t body_bytes_ = 0;
  std::size_t line_bytes_ = 0;
  std::size_t digits_ = 0;
  enum class Extension : std::uint8_t { kNone, kName, kValue, kQuoted, kAfterQuoted };
  Extension extension_ = Extension::kNone;
  bool has_word_ = false;           // the extension's name or value is not empty
  std::uint8_t name_bytes_ = 0;     // of a trailer, at most 255
  std::uint8_t framing_names_ = 0;  // bits: which forbidden names it may still be
};

}  // namespace aispm::codec::http1
