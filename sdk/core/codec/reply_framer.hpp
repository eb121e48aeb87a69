// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "sdk/core/codec/eventstream.hpp"
#include "sdk/core/codec/json_array.hpp"
#include "sdk/core/codec/line_framer.hpp"
#include "sdk/core/codec/llm_api.hpp"
#include "sdk/core/codec/sse.hpp"
#include "sdk/core/common/result.hpp"

namespace aispm::codec {

// How the pieces of a streamed reply are told apart.
enum class Framing : std::uint8_t {
  kSse,          // text/event-stream
  kLines,        // application/x-ndjson: Ollama
  kArray,        // one JSON array: Gemini without alt=sse
  kEventStream,  // application/vnd.amazon.eventstream: Bedrock
};

// The framing of a reply of that type; nullopt when it is one JSON body. `streams`: the path or the
// request asked for a stream.
std::optional<Framing> find_framing(Api api, std::string_view content_type, bool streams);

// Cuts a reply into the events that StreamReply::read() takes, whatever the framing: `data` is the
// piece's JSON, `event` its name where the framing has one. Not thread-safe.
class ReplyFramer {
 public:
  explicit ReplyFramer(Framing framing, std::size_t limit_bytes = kMaxSseEventBytes);

  void feed(std::string_view bytes);

  // The next piece, living until the framer is used again; nullopt when more bytes are needed.
  // kTooLarge or kInvalid when the stream cannot be read on.
  Result<std::optional<SseEvent>> next();

  // The stream ended: what was left, where the framing allows that; kInvalid when it was cut.
  Result<std::optional<SseEvent>> finish();

  // Bytes are missing here; next() must have given nothing before. False: nothing after them can be
  // read.
  bool skip();

  std::size_t held_bytes() const;
  // Lines that were longer than the limit and are lost: whoever enforces must stop then.
  std::uint64_t dropped_lines() const;
  Framing framing() const { return framing_; }

 private:
  Framing framing_;
  std::variant<SseParser, LineFramer, JsonArraySplitter, EventStreamParser> parser_;
  std::string made_;         // JSON made of an error that came without
  bool drops_next_ = false;  // SSE: the event with a hole
};

}  // namespace aispm::codec
