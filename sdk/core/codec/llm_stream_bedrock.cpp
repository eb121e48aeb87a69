// SPDX-License-Identifier: Apache-2.0
// Events of Bedrock: Converse's own, and the vendors' that InvokeModel wraps.
#include "sdk/core/codec/base64.hpp"
#include "sdk/core/codec/llm_reply_reader.hpp"
#include "sdk/core/codec/llm_stream_state.hpp"

namespace aispm::codec {
namespace {

constexpr std::size_t kNone = JsonTree::kNone;
constexpr std::string_view kMetrics = "amazon-bedrock-invocationMetrics";
using Type = StreamEvent::Type;

constexpr std::string_view kConverseEvents[] = {"messageStart",      "contentBlockStart",
                                                "contentBlockDelta", "contentBlockStop",
                                                "messageStop",       "metadata"};

}  // namespace

// {"bytes":"<base64 of the vendor's event>"}: `tree` and the event's document become the inner one.
Result<> StreamReply::State::unwrap(JsonTree& tree, const SseEvent& sse) {
  if (sse.event != "chunk") return {};
  auto inner = base64_decode(tree.string_at(0, "bytes"));
  if (!inner || inner->empty()) return fail(Errc::kInvalid, "bedrock: a chunk without bytes");
  unwrapped = std::move(*inner);
  event.document = unwrapped;
  return tree.read(unwrapped, kMaxJsonDepth);
}

Result<> StreamReply::State::read_invoked(const JsonTree& tree) {
  if (const std::size_t metrics = tree.find(0, kMetrics); metrics != kNone) {
    const auto input = tree.number_at(metrics, "inputTokenCount");
    const auto output = tree.number_at(metrics, "outputTokenCount");
    if (input || output) merge_usage(Usage{input.value_or(0), output.value_or(0)});
    ended = true;  // the last one
  }
  const std::string_view type = tree.string_at(0, "type");
  if (type.starts_with("message_") || type.starts_with("content_block_") || type == "ping")
    return read_anthropic(tree, {}, event.document);
  if (tree.find(0, "choices") != kNone) {
    read_chunk(tree);
    return {};
  }
  for (const std::string_view name : kConverseEvents) {
    const std::size_t object = tree.find(0, name);
    if (object == kNone) continue;
    read_converse(tree, name, object);
    return {};
  }
  return read_piece(tree);
}

void StreamReply::State::read_converse(const JsonTree& tree, std::string_view name,
                                       std::size_t object) {
  const auto index =
      static_cast<std::uint32_t>(tree.number_at(object, "contentBlockIndex").value_or(0));
  event.index = index;
  const Channel arguments{ChannelKind::kToolArguments, 0, index};
  if (name == "messageStart") {
    event.type = Type::kStart;
  } else if (name == "contentBlockStart") {
    event.type = Type::kStart;
    const std::size_t start = tree.find(object, "start");
    const std::size_t tool = start == kNone ? kNone : tree.find(start, "toolUse");
    ToolCall* call = tool == kNone ? nullptr : make_call(arguments);
    if (call == nullptr) return;
    call->id = short_copy(tree.string_at(tool, "toolUseId"));
    call->name = short_copy(tree.string_at(tool, "name"));
  } else if (name == "contentBlockDelta") {
    event.type = Type::kDelta;
    tree.each_member(tree.find(object, "delta"), [&](const JsonNode& key, std::size_t value) {
      if (key.text == "text") {
        add_all(tree, value, {ChannelKind::kText, 0, index});
      } else if (key.text == "toolUse") {
        const std::size_t input = tree.find(value, "input");
        if (input == kNone) return;
        ToolCall* call = make_call(arguments);
        if (call != nullptr && keep(tree[input].text.size()))
          call->arguments.append(tree[input].text);
        add_all(tree, input, arguments);
      } else if (key.text == "reasoningContent") {
        if (const std::size_t text = tree.find(value, "text"); text != kNone)
          add_all(tree, text, {ChannelKind::kReasoning, 0, index});
      } else {
        add_all(tree, value, {ChannelKind::kOther, 0, index});
      }
    });
  } else if (name == "contentBlockStop") {
    event.type = Type::kStop;
  } else if (name == "messageStop") {
    finish(tree.string_at(object, "stopReason"), 0);
  } else if (name == "metadata") {
    // The last event: after it the stream ends.
    merge_usage(read_usage(Api::kBedrockConverse, tree, tree.find(object, "usage")));
    event.type = Type::kEnd;
    ended = true;
  } else {
    add_all(tree, object, {ChannelKind::kOther, 0, 0});
    if (!event.deltas.empty()) event.type = Type::kDelta;
  }
}

}  // namespace aispm::codec
