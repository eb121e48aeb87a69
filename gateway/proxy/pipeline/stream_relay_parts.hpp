// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/proxy/pipeline/stream_relay.hpp"

// What a StreamRelay keeps of a channel and of an event. Only for its own files.
namespace aispm::gateway {

inline codec::Api api_of(Dialect dialect) {
  return dialect == Dialect::kOpenAi ? codec::Api::kOpenAiChat : codec::Api::kAnthropicMessages;
}

struct StreamRelay::Outgoing {
  struct Argument {
    codec::Channel channel;
    codec::JsonSpan span;
  };
  std::string name;
  std::string data;
  std::string_view
      raw;  // to be sent as it is when nothing changes; only valid until the next event
  std::vector<codec::JsonPatch> patches;
  std::vector<Argument> arguments;
  enum class Mark : std::uint8_t {
    kNone,
    kMessageStart,
    kBlockStart,
    kBlockStop
  } mark = Mark::kNone;
  std::uint32_t block = 0;
  bool withheld = false;  // holds a denied string outside the text channels: never shown
};

struct StreamRelay::Piece {
  Lane* lane;
  codec::JsonSpan span;
  std::string_view text;
  std::string release;
};

struct StreamRelay::Lane {
  Lane(codec::Channel c, detect::Surface where, const ScanContext& context, Dialect dialect)
      : channel(c),
        surface(where),
        scanner(context.book->engine, where,
                stream_table(*context.tables, api_of(dialect), c.kind, where)) {}

  bool is_tool() const { return channel.kind == codec::ChannelKind::kToolArguments; }

  codec::Channel channel;
  detect::Surface surface;
  detect::StreamScanner scanner;
  std::size_t recorded = 0;
  std::string arguments;   // tools: what may be released, whole when closed
  std::string spare_name;  // an event that can carry what is held, should the channel end
  std::string spare_data;
  codec::JsonSpan spare_span;
  std::vector<codec::JsonPatch> spare_patches;  // for the other texts in it
  bool closed = false;
  bool delivered = false;  // tools: redacted arguments were put into an event
};

}  // namespace aispm::gateway
