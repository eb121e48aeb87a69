// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gateway/proxy/dialect.hpp"
#include "gateway/proxy/pipeline/responses_notice.hpp"
#include "gateway/proxy/wire_error.hpp"
#include "sdk/core/codec/llm.hpp"
#include "sdk/core/codec/reply_framer.hpp"

namespace aispm::gateway {

// Where a stream stands from the client's view when the gateway ends it.
struct StreamPosition {
  std::string id;  // of the reply, "" when none came
  std::string model;
  std::int64_t created = 0;                       // Unix seconds
  std::vector<std::uint32_t> open_choices;        // OpenAI, Gemini: choices begun and not finished
  bool started = false;                           // Anthropic: message_start was sent
  std::optional<std::uint32_t> open_block;        // Anthropic: content block begun and not stopped
  std::uint32_t next_block = 0;                   // Anthropic: first index not used yet
  std::uint64_t output_tokens = 0;                // as far as known
  ResponsesPosition responses;                    // OpenAI's Responses
  std::string shown;                              // Responses: what was sent of the open text part
  bool ends_complete = false;                     // Responses: a notice ends what passes for whole
  codec::Framing framing = codec::Framing::kSse;  // Gemini: its pieces may be one array's elements
  bool begun = false;                             // Gemini: the array's first was sent
};

// Ends a stream in a form that every client shows as an ordinary, complete answer: what was allowed
// so far, then `notice`, then the dialect's own end (GATEWAY 5.5, mode "replace").
std::string replace_rest(codec::Api api, const StreamPosition& position, std::string_view notice);

// Ends a stream with the dialect's error event: for upstream failures, which clients may retry.
std::string stream_error(codec::Api api, const StreamPosition& position, const Refusal& refusal);

}  // namespace aispm::gateway
