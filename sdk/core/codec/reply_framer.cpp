// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/codec/reply_framer.hpp"

#include "sdk/core/codec/http1.hpp"
#include "sdk/core/codec/json_edit.hpp"

namespace aispm::codec {
namespace {

std::variant<SseParser, LineFramer, JsonArraySplitter, EventStreamParser> make_parser(
    Framing framing, std::size_t limit_bytes) {
  switch (framing) {
    case Framing::kLines:
      return LineFramer(limit_bytes);
    case Framing::kArray:
      return JsonArraySplitter(limit_bytes);
    case Framing::kEventStream:
      return EventStreamParser(limit_bytes);
    case Framing::kSse:
      break;
  }
  return SseParser(limit_bytes);
}

SseEvent piece(std::string_view data, std::string_view name = {}) {
  SseEvent event;
  event.event = name;
  event.data = data;
  event.raw = data;
  event.has_data = true;
  event.single_line = true;
  return event;
}

}  // namespace

std::optional<Framing> find_framing(Api api, std::string_view content_type, bool streams) {
  const std::string_view type = content_type.substr(0, content_type.find_first_of("; \t"));
  if (http1::equal_name(type, "text/event-stream")) return Framing::kSse;
  if (http1::equal_name(type, "application/x-ndjson") ||
      http1::equal_name(type, "application/jsonl"))
    return Framing::kLines;
  if (http1::equal_name(type, "application/vnd.amazon.eventstream")) return Framing::kEventStream;
  if (api == Api::kGeminiGenerate && streams && http1::equal_name(type, "application/json"))
    return Framing::kArray;
  return std::nullopt;
}

ReplyFramer::ReplyFramer(Framing framing, std::size_t limit_bytes)
    : framing_(framing), parser_(make_parser(framing, limit_bytes)) {}

void ReplyFramer::feed(std::string_view bytes) {
  std::visit([&](auto& parser) { parser.feed(bytes); }, parser_);
}

Result<std::optional<SseEvent>> ReplyFramer::next() {
  switch (framing_) {
    case Framing::kSse:
      for (;;) {
        AISPM_TRY(auto event, std::get<SseParser>(parser_).next());
        if (!event || !drops_next_) return event;
        drops_next_ = false;  // this one has the hole
      }
    case Framing::kLines: {
      const auto line = std::get<LineFramer>(parser_).next();
      return line ? std::optional<SseEvent>(piece(*line)) : std::nullopt;
    }
    case Framing::kArray: {
      AISPM_TRY(const auto element, std::get<JsonArraySplitter>(parser_).next());
      return element ? std::optional<SseEvent>(piece(*element)) : std::nullopt;
    }
    case Framing::kEventStream:
      break;
  }
  AISPM_TRY(const auto message, std::get<EventStreamParser>(parser_).next());
  if (!message) return std::nullopt;
  if (message->message_type != "error")
    return std::optional<SseEvent>(piece(message->payload, message->name));
  // An error of the transport has no payload, only headers.
  made_ = "{\"error\":{\"code\":" + json_string(message->name) +
          ",\"message\":" + json_string(message->error_message) + "}}";
  return std::optional<SseEvent>(piece(made_, "error"));
}

Result<std::optional<SseEvent>> ReplyFramer::finish() {
  switch (framing_) {
    case Framing::kSse:
      return std::get<SseParser>(parser_).finish();
    case Framing::kLines: {
      const auto line = std::get<LineFramer>(parser_).finish();
      if (!line) return std::nullopt;
      SseEvent last = piece(*line);
      last.terminated = false;
      return last;
    }
    case Framing::kArray:
      if (!std::get<JsonArraySplitter>(parser_).ended())
        return fail(Errc::kInvalid, "json array: the stream is cut");
      return std::nullopt;
    case Framing::kEventStream:
      break;
  }
  if (held_bytes() > 0) return fail(Errc::kInvalid, "event stream: the stream is cut");
  return std::nullopt;
}

bool ReplyFramer::skip() {
  switch (framing_) {
    case Framing::kSse:
      // The event with the hole is ended and dropped. What follows of it is no field, so nobody
      // reads it.
      if (held_bytes() > 0) {
        std::get<SseParser>(parser_).feed("\n\n");
        drops_next_ = true;
      }
      return true;
    case Framing::kLines:
      std::get<LineFramer>(parser_).skip();
      return true;
    case Framing::kEventStream:
      std::get<EventStreamParser>(parser_).skip();
      return true;
    case Framing::kArray:
      break;
  }
  return false;
}

std::uint64_t ReplyFramer::dropped_lines() const {
  const auto* lines = std::get_if<LineFramer>(&parser_);
  return lines != nullptr ? lines->dropped_lines() : 0;
}

std::size_t ReplyFramer::held_bytes() const {
  switch (framing_) {
    case Framing::kSse:
      return std::get<SseParser>(parser_).pending().size();
    case Framing::kLines:
      return std::get<LineFramer>(parser_).held_bytes();
    case Framing::kArray:
      return std::get<JsonArraySplitter>(parser_).held_bytes();
    case Framing::kEventStream:
      break;
  }
  return std::get<EventStreamParser>(parser_).held_bytes();
}

}  // namespace aispm::codec
