// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/proxy/pipeline/stream_relay.hpp"
#include "gateway/proxy/placeholder_shelf.hpp"
#include "sdk/core/detect/stream_runs.hpp"

// What a StreamRelay keeps of a channel and of an event. Only for its own files.
namespace aispm::gateway {

// In place of tokens that say a changed text again.
inline std::string_view no_tokens(codec::Api api) {
  return api == codec::Api::kOpenAiResponses || dialect_of(api) == Dialect::kOllama ? "[]" : "null";
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
  std::vector<codec::JsonSpan> logprobs;  // taken away if a tool call is changed
  enum class Mark : std::uint8_t {
    kNone,
    kMessageStart,
    kBlockStart,
    kBlockStop,
    kResponses
  } mark = Mark::kNone;
  std::uint32_t block = 0;
  bool withheld = false;          // holds a denied string outside the text channels: never shown
  codec::JsonSpan sequence_span;  // Responses: of the event's number
  std::uint64_t sequence = 0;
  bool is_extra = false;  // not the provider's
};

struct StreamRelay::Piece {
  Lane* lane;
  codec::JsonSpan span;
  std::string_view text;
  std::string release;
  std::string kept;  // for the record: placeholders not turned back
};

struct StreamRelay::Lane {
  Lane(codec::Channel c, detect::Surface where, const ScanContext& context, codec::Api api)
      : channel(c),
        surface(where),
        runs(context.book->engine, where, stream_table(*context.tables, api, c.kind, where),
             context.reply_redactor, context.hash_key),
        scanner(context.book->engine, where, stream_table(*context.tables, api, c.kind, where),
                context.reply_redactor, context.hash_key) {
    const bool sealed = is_sealed(api, c.kind);
    if (context.vault && !sealed && !is_tool()) vault.emplace(context.vault, false);
    const bool has_leaks = context.leaks.prompt != nullptr || context.leaks.tools != nullptr;
    if (has_leaks && can_leak(c.kind)) leaks = std::make_unique<LeakScreen>(context.leaks);
  }

  bool is_tool() const { return channel.kind == codec::ChannelKind::kToolArguments; }

  std::size_t held_bytes() const {
    return runs.held_bytes() + scanner.held_bytes() + (vault ? vault->held_bytes() : 0);
  }
  bool denied() const { return runs.denied() || scanner.denied(); }

  // Texts pass through these three, in this order.
  codec::Channel channel;
  detect::Surface surface;
  detect::StreamRuns runs;        // encodings
  detect::StreamScanner scanner;  // all else that rules see
  std::optional<PlaceholderStream> vault;
  std::unique_ptr<LeakScreen> leaks;  // reads what passed; null: nothing can leak
  std::size_t recorded = 0;           // of what the scanner found
  std::size_t recorded_runs = 0;
  std::string unread;          // released, and not yet read by what needs more than a piece
  std::size_t read_bytes = 0;  // of it, read before
  std::string before;          // texts: the end of what stands before it in the reply
  std::string head;            // and its beginning, where something does
  std::string arguments;       // tools: as they came, then what may be released
  std::string spare_name;      // an event that can carry what is held, should the channel end
  std::string spare_data;
  codec::JsonSpan spare_span;
  std::vector<codec::JsonPatch> spare_patches;  // for the other texts in it
  codec::JsonSpan spare_sequence;
  std::string said;      // Responses: what the provider said; tools: the arguments as they came
  std::string shown;     // and what became of it
  bool is_long = false;  // more than is kept
  std::string tool;      // tools: the name under which the call was judged
  bool closed = false;
  std::optional<std::size_t> awaits;  // tools: the action that must be settled first
  bool changed = false;               // tools: the arguments are not those that came
  bool delivered = false;             // tools: changed arguments were put into an event
  bool told = false;                  // tools: to `on_call`
};

}  // namespace aispm::gateway
