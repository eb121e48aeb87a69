// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sdk/core/common/result.hpp"

// Server-sent events as WHATWG HTML section 9.2 reads them: lines end with LF, CR or CRLF, an empty
// line ends an event.
namespace aispm::codec {

// One event with its framing.
inline constexpr std::size_t kMaxSseEventBytes = 1U << 20;

// One block of the stream up to and including its empty line. Views live until the parser is used
// again.
struct SseEvent {
  std::string_view event;  // value of the last `event` field, empty when there was none
  std::string_view data;   // all `data` lines joined by LF
  std::optional<std::string_view> id;
  std::optional<std::uint64_t> retry_ms;
  bool has_data = false;        // false: only comments or other fields, a client sees no event
  bool terminated = true;       // false: the stream ended before the event did (see finish())
  bool single_line = false;     // `data` came as exactly one line, so data_offset is valid
  std::size_t data_offset = 0;  // where `data` begins in `raw`
  // Exactly the bytes received. The raws of all events, in order, are the stream.
  std::string_view raw;
};

// Incremental parser. Copies each byte once. Not thread-safe.
class SseParser {
 public:
  explicit SseParser(std::size_t limit_bytes = kMaxSseEventBytes) : limit_bytes_(limit_bytes) {}

  // Takes the next bytes of the stream; then call next() until it gives nothing.
  void feed(std::string_view bytes);

  // The next complete event; nullopt when more bytes are needed. kTooLarge when an event exceeds
  // the limit: the parser then stays failed.
  Result<std::optional<SseEvent>> next();

  // The stream ended. What was left over, read as if an empty line followed; nullopt when nothing
  // was. Browsers drop it, some SDKs do not, so it has to be judged like any other event.
  Result<std::optional<SseEvent>> finish();

  // Bytes held that belong to no complete event yet.
  std::string_view pending() const { return std::string_view(buffer_).substr(start_); }

 private:
  bool find_end();
  SseEvent read_event(std::string_view raw);
  void read_line(std::string_view line, std::string_view raw, SseEvent& event);

  std::size_t limit_bytes_;
  std::string buffer_;
  std::string joined_;           // data of an event with several data lines
  std::size_t start_ = 0;        // where the current event begins
  std::size_t scanned_ = 0;      // bytes from start_ on that were looked at
  std::size_t line_start_ = 0;   // from start_
  bool after_cr_ = false;        // the previous event ended with CR: an LF now still belongs to it
  bool at_stream_start_ = true;  // a byte order mark may come
  bool is_first_event_ = true;
  bool failed_ = false;
};

// "event: NAME\ndata: DATA\n\n"; no event line when `event` is empty, one data line per line of
// `data`. A CR, LF or NUL in `event` is a bug of the caller and is dropped.
std::string serialise_sse(std::string_view event, std::string_view data);

}  // namespace aispm::codec
