// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sdk/core/codec/llm_internal.hpp"

// Private to llm_stream*.cpp.
namespace aispm::codec {

struct StreamReply::State {
  explicit State(Api stream_api) : api(stream_api) {}

  Api api;
  StreamEvent event;
  std::unique_ptr<char[]> decoded;  // of the event read last
  std::string unwrapped;            // Bedrock: what the event held in base64
  std::string id;
  std::string model;
  std::string finish_reason;
  std::optional<Usage> usage;
  std::optional<LlmError> error;
  std::vector<ToolCall> tool_calls;
  std::map<Channel, std::uint32_t> moved_calls;  // chat: the index of the call open at a place
  std::map<Channel, std::string> texts;
  std::size_t kept_bytes = 0;
  bool ended = false;
  bool cut = false;

  Result<> read(const SseEvent& sse);
  Result<> read_dialect(const JsonTree& tree, const SseEvent& sse);
  bool is_failure(const JsonTree& tree, const SseEvent& sse, std::size_t error_node) const;
  // Pieces that have the shape of whole replies.
  Result<> read_piece(const JsonTree& tree);
  void merge(const LlmReply& piece, std::uint32_t call_offset);

  Result<> read_anthropic(const JsonTree& tree, std::string_view event_name, std::string_view data);
  void read_block_start(const JsonTree& tree, std::string_view data, std::uint32_t index);
  void read_block_delta(const JsonTree& tree, std::uint32_t index);
  void read_message_delta(const JsonTree& tree);

  // llm_stream_chat.cpp
  void read_chunk(const JsonTree& tree);
  void read_choice(const JsonTree& tree, std::size_t choice, std::uint32_t position);
  void read_delta(const JsonTree& tree, std::size_t delta, std::uint32_t choice);
  void read_reasoning_details(const JsonTree& tree, std::size_t details, std::uint32_t choice);
  Channel place_call(const JsonTree& tree, std::size_t call, std::string_view name,
                     Channel indexed);
  void read_call(const JsonTree& tree, std::size_t call, std::uint32_t choice,
                 std::uint32_t position);

  // llm_stream_responses.cpp
  Result<> read_responses(const JsonTree& tree, std::string_view event_name);
  void read_item_start(const JsonTree& tree);
  void read_delta_event(const JsonTree& tree, std::string_view type);
  void read_done_event(const JsonTree& tree, std::string_view type);
  void read_item_done(const JsonTree& tree);
  void read_part_done(const JsonTree& tree);
  void note_call(ToolCall call);
  void read_response_object(const JsonTree& tree, std::size_t response, bool is_last);
  // llm_stream_bedrock.cpp
  Result<> unwrap(JsonTree& tree, const SseEvent& sse);
  Result<> read_invoked(const JsonTree& tree);
  void read_converse(const JsonTree& tree, std::string_view name, std::size_t object);

  ToolCall* find_call(Channel channel);
  ToolCall* make_call(Channel channel);
  void merge_usage(const JsonTree& tree, std::size_t node) {
    merge_usage(read_usage(api, tree, node));
  }
  void merge_usage(const std::optional<Usage>& seen);
  void finish(std::string_view reason, std::uint32_t choice);
  bool keep(std::size_t bytes);
  void add(const ReplyText& text);
  void add(const JsonNode& node, Channel channel);
  void add_all(const JsonTree& tree, std::size_t value, Channel channel);
  // Texts that repeat what the channel has already said, or say it for the first time when the
  // deltas were lost.
  void add_done(const ReplyText& text);
};

}  // namespace aispm::codec
