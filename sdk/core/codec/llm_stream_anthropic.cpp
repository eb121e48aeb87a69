// SPDX-License-Identifier: Apache-2.0
// Events of Anthropic's messages.
#include "sdk/core/codec/llm_reply_reader.hpp"
#include "sdk/core/codec/llm_stream_state.hpp"

namespace aispm::codec {
namespace {

constexpr std::size_t kNone = JsonTree::kNone;
using Type = StreamEvent::Type;

// Members of a block that carry no text.
bool is_block_envelope(std::string_view key) {
  return is_envelope_key(key) || key == "usage" || key == "obfuscation";
}

}  // namespace

Result<> StreamReply::State::read_anthropic(const JsonTree& tree, std::string_view event_name,
                                            std::string_view data) {
  const std::string_view type = tree.string_at(0, "type");
  // The SDK dispatches on the event line and then trusts `type`: two different answers would be two
  // readings.
  if (!event_name.empty() && event_name != type)
    return fail(Errc::kInvalid, "event line and \"type\" of the data differ");
  const auto index = static_cast<std::uint32_t>(tree.number_at(0, "index").value_or(0));
  event.index = index;
  if (type == "message_start") {
    event.type = Type::kStart;
    const std::size_t message = tree.find(0, "message");
    if (message == kNone) return {};
    id = short_copy(tree.string_at(message, "id"));
    model = short_copy(tree.string_at(message, "model"));
    merge_usage(tree, tree.find(message, "usage"));
    tree.each_element(tree.find(message, "content"), [&](std::size_t block, std::size_t) {
      add_all(tree, block, {ChannelKind::kOther, 0, 0});
    });
  } else if (type == "content_block_start") {
    read_block_start(tree, data, index);
  } else if (type == "content_block_delta") {
    read_block_delta(tree, index);
  } else if (type == "content_block_stop") {
    event.type = Type::kStop;
  } else if (type == "message_delta") {
    read_message_delta(tree);
  } else if (type == "message_stop") {
    event.type = Type::kEnd;
    ended = true;
  } else if (type != "ping") {
    // New event types must be tolerated, but what they say must be seen.
    add_all(tree, 0, {ChannelKind::kOther, 0, index});
    if (!event.deltas.empty()) event.type = Type::kDelta;
  }
  return {};
}

void StreamReply::State::read_block_start(const JsonTree& tree, std::string_view data,
                                          std::uint32_t index) {
  event.type = Type::kStart;
  const std::size_t block = tree.find(0, "content_block");
  if (block == kNone) return;
  const std::string_view type = tree.string_at(block, "type");
  const bool is_tool = type.ends_with("tool_use");
  const Channel arguments{ChannelKind::kToolArguments, 0, index};
  event.has_odd_call = is_tool && find_call(arguments) != nullptr;
  ToolCall* call = is_tool ? make_call(arguments) : nullptr;
  event.has_odd_call = event.has_odd_call || (is_tool && call == nullptr);
  if (call != nullptr) {
    call->id = short_copy(tree.string_at(block, "id"));
    call->name = short_copy(tree.string_at(block, "name"));
  }
  tree.each_member(block, [&](const JsonNode& key, std::size_t value) {
    if (key.text == "text") {
      add_all(tree, value, {ChannelKind::kText, 0, index});
    } else if (key.text == "thinking") {
      add_all(tree, value, {ChannelKind::kReasoning, 0, index});
    } else if (key.text == "input" && is_tool) {
      // {} when the arguments follow as deltas.
      const JsonSpan span = tree[value].span();
      event.has_odd_call = event.has_odd_call || tree[value].next > value + 1;
      if (tree[value].next > value + 1 && call != nullptr && keep(span.size()))
        call->arguments.assign(data.substr(span.begin, span.size()));
      add_all(tree, value, arguments);
    } else if (!(is_tool && key.text == "name") && !is_block_envelope(key.text)) {
      add_all(tree, value, {ChannelKind::kOther, 0, index});
    }
  });
}

void StreamReply::State::read_block_delta(const JsonTree& tree, std::uint32_t index) {
  event.type = Type::kDelta;
  tree.each_member(tree.find(0, "delta"), [&](const JsonNode& key, std::size_t value) {
    if (key.text == "text") {
      add_all(tree, value, {ChannelKind::kText, 0, index});
    } else if (key.text == "thinking") {
      add_all(tree, value, {ChannelKind::kReasoning, 0, index});
    } else if (key.text == "partial_json") {
      const Channel channel{ChannelKind::kToolArguments, 0, index};
      ToolCall* call = make_call(channel);
      if (call != nullptr && keep(tree[value].text.size()))
        call->arguments.append(tree[value].text);
      add_all(tree, value, channel);
    } else if (key.text == "signature") {
      event.signs_thought = true;
    } else if (key.text != "type") {
      add_all(tree, value, {ChannelKind::kOther, 0, index});
    }
  });
}

void StreamReply::State::read_message_delta(const JsonTree& tree) {
  merge_usage(tree, tree.find(0, "usage"));
  tree.each_member(tree.find(0, "delta"), [&](const JsonNode& key, std::size_t value) {
    if (key.text == "stop_reason" && tree[value].is_string()) {
      finish_reason = short_copy(tree[value].text);
      event.finish_reason_span = tree[value].span();
      event.finished.push_back(0);
    } else {
      add_all(tree, value, {ChannelKind::kOther, 0, 0});
    }
  });
  event.index = 0;
  event.type = Type::kFinish;
}

}  // namespace aispm::codec
