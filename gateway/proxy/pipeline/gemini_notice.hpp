// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "gateway/proxy/pipeline/stream_notice.hpp"
#include "sdk/core/codec/reply_framer.hpp"

// What the gateway itself says in a streamed reply of Gemini. Its clients know neither comments nor
// named events, and a stream without `alt=sse` is one JSON array.
namespace aispm::gateway {

// The document as the stream's next piece.
std::string gemini_piece(codec::Framing framing, bool& begun, std::string_view document);

// The rest of a stream that is ended here: `notice` as text, every open choice finished with
// SAFETY.
std::string replace_gemini(StreamPosition position, std::string_view notice);

// A piece that says nothing: a sign of life.
std::string gemini_pulse(codec::Framing framing, const std::string& model);

// A document with room for one text of a channel, and where that stands in it.
struct StreamCarrier {
  std::string data;
  codec::JsonSpan span;
};
StreamCarrier carry_gemini(const StreamPosition& position, const codec::Channel& channel);
StreamCarrier carry_ollama(codec::Api api, const StreamPosition& position,
                           const codec::Channel& channel);

}  // namespace aispm::gateway
