// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sdk/core/codec/content_decoder.hpp"
#include "sdk/core/codec/http1.hpp"
#include "sdk/core/codec/llm.hpp"
#include "sdk/core/codec/reply_framer.hpp"
#include "sdk/core/codec/sse.hpp"
#include "sdk/core/model/event.hpp"
#include "sensor/correlate/byte_budget.hpp"
#include "sensor/correlate/http_message.hpp"
#include "sensor/correlate/observation.hpp"

namespace aispm::sensor {

// Bodies that are kept whole to be read.
inline constexpr std::size_t kMaxKeptBodyBytes = 8U << 20;
// One event of a streamed reply.
inline constexpr std::size_t kMaxSensorEventBytes = 512U << 10;

// A body with its Content-Encoding undone. kUnreadable: encoded in a way we do not
// undo.
class DecodedBody {
 public:
  enum class State : std::uint8_t { kOk, kUnreadable, kBroken };

  explicit DecodedBody(std::string_view content_encoding);
  // Calls use(piece) with decoded bytes.
  void feed(std::string_view bytes, const std::function<void(std::string_view)>& use);
  State state() const { return state_; }
  bool is_encoded() const { return state_ == State::kUnreadable || decoder_->is_encoded(); }

 private:
  std::optional<codec::ContentDecoder> decoder_;  // none: kUnreadable
  State state_ = State::kOk;
};

// What a streamed reply said, into the reply's side of `call`.
void set_stream_facts(const codec::StreamReply& stream, bool keep_text, model::LlmCall& call);

// Reads the body of one reply to a language model, one JSON document or a stream, into an LlmCall.
class ReplyReader {
 public:
  // `streams`: the request asked for a stream.
  ReplyReader(codec::Api api, const ReplyHead& head, bool streams, bool keep_text,
              ByteBudget& budget, CorrelateCounters& counters);

  void feed(std::string_view bytes);
  // `size` bytes of the body were lost.
  void skip(std::uint64_t size);
  // The body ended, or was cut (`is_whole` false). Fills the reply's side of `call`.
  void finish(bool is_whole, model::LlmCall& call);

 private:
  void take(std::string_view bytes);
  void take_events();
  void read_event(const codec::SseEvent& event);
  void finish_body(model::LlmCall& call);
  void give_up(std::string_view cause, std::string_view why);

  codec::Api api_;
  bool keep_text_;
  CorrelateCounters& counters_;
  ByteCharge charge_;
  DecodedBody decoded_;
  std::optional<codec::ReplyFramer> events_;  // none: one JSON document
  codec::StreamReply stream_;
  std::string body_;
  bool partial_ = false;
  bool given_up_ = false;
};

}  // namespace aispm::sensor
