// SPDX-License-Identifier: Apache-2.0
// Events of OpenAI's responses, streamed or over a socket, and of realtime sessions.
#include "sdk/core/codec/llm_reply_reader.hpp"
#include "sdk/core/codec/llm_stream_state.hpp"

namespace aispm::codec {
namespace {

constexpr std::size_t kNone = JsonTree::kNone;
using Type = StreamEvent::Type;

// "response.output_text.delta" -> "output_text"; also realtime's older "response.text.delta".
std::string_view part_name(std::string_view type, std::string_view suffix) {
  type.remove_suffix(suffix.size());
  constexpr std::string_view kPrefix = "response.";
  if (type.starts_with(kPrefix)) type.remove_prefix(kPrefix.size());
  return type;
}

bool is_sound(std::string_view part) { return part == "audio" || part == "output_audio"; }

ChannelKind kind_of(std::string_view part) {
  if (part == "output_text" || part == "text" || part == "content_part" ||
      part.ends_with("audio_transcript") || part == "audio.transcript")
    return ChannelKind::kText;
  if (part == "refusal") return ChannelKind::kRefusal;
  if (part.starts_with("reasoning")) return ChannelKind::kReasoning;
  if (part.ends_with("_arguments") || part == "custom_tool_call_input" ||
      part == "code_interpreter_call_code")
    return ChannelKind::kToolArguments;
  return ChannelKind::kOther;
}

std::uint32_t index_at(const JsonTree& tree, std::string_view key) {
  return static_cast<std::uint32_t>(tree.number_at(0, key).value_or(0));
}

// Where a part of that kind is said: calls have one channel an item.
Channel channel_of(const JsonTree& tree, ChannelKind kind) {
  std::uint32_t index = index_at(tree, "content_index");
  if (kind == ChannelKind::kReasoning && tree.find(0, "summary_index") != kNone)
    index = index_at(tree, "summary_index");
  if (kind == ChannelKind::kToolArguments) index = 0;
  return {kind, index_at(tree, "output_index"), index};
}

bool is_event_envelope(std::string_view key) {
  return key == "type" || key == "item_id" || key == "sequence_number" || key == "event_id" ||
         key == "response_id" || key == "obfuscation" || key == "call_id";
}

}  // namespace

Result<> StreamReply::State::read_responses(const JsonTree& tree, std::string_view event_name) {
  const std::string_view type = tree.string_at(0, "type");
  if (!event_name.empty() && event_name != type)
    return fail(Errc::kInvalid, "event line and \"type\" of the data differ");
  if (const std::size_t number = tree.find(0, "sequence_number"); number != kNone) {
    event.sequence_span = tree[number].span();
    event.sequence = tree.number(number).value_or(0);
  }
  const std::size_t response = tree.find(0, "response");
  const bool is_last = type == "response.completed" || type == "response.incomplete" ||
                       type == "response.failed" || type == "response.cancelled" ||
                       type == "response.done";
  if (is_last) {
    read_response_object(tree, response, true);
    event.type = error ? Type::kError : Type::kEnd;
    ended = true;
  } else if (type == "response.created" || type == "response.in_progress" ||
             type == "response.queued") {
    read_response_object(tree, response, false);
    event.type = Type::kStart;
  } else if (type.starts_with("session.") || type.starts_with("transcription_session.")) {
    if (model.empty())
      if (const std::size_t session = tree.find(0, "session"); session != kNone)
        model = short_copy(tree.string_at(session, "model"));
  } else if (type == "response.output_item.added") {
    read_item_start(tree);
  } else if (type.ends_with(".delta")) {
    read_delta_event(tree, type);
  } else if (type.ends_with(".done")) {
    read_done_event(tree, type);
  } else {
    tree.each_member(0, [&](const JsonNode& key, std::size_t value) {
      if (!is_event_envelope(key.text)) add_all(tree, value, channel_of(tree, ChannelKind::kOther));
    });
    if (!event.deltas.empty()) event.type = Type::kDelta;
  }
  return {};
}

void StreamReply::State::read_item_start(const JsonTree& tree) {
  event.type = Type::kStart;
  event.index = index_at(tree, "output_index");
  const std::size_t item = tree.find(0, "item");
  if (item == kNone) return;
  LlmReply piece;
  ReplyReader(tree, event.document, piece).read_output_item(item, event.index);
  merge(piece, 0);
  // The arguments of most calls follow as deltas, of which this is the first.
  std::erase_if(event.calls, [](const ToolCall& call) {
    return call.arguments_are_text || call.arguments.empty();
  });
}

void StreamReply::State::read_delta_event(const JsonTree& tree, std::string_view type) {
  const std::string_view part = part_name(type, ".delta");
  event.type = Type::kDelta;
  if (is_sound(part)) return;  // base64 of sound
  const ChannelKind kind = kind_of(part);
  const Channel channel = channel_of(tree, kind);
  tree.each_member(0, [&](const JsonNode& key, std::size_t value) {
    if (is_event_envelope(key.text)) return;
    if (key.text == "logprobs") {
      if (tree[value].kind != JsonKind::kNull && tree[value].next > value + 1)
        event.logprobs.push_back(tree[value].span());
      return;
    }
    const bool is_delta = key.text == "delta";
    if (is_delta && kind == ChannelKind::kToolArguments) {
      ToolCall* call = make_call(channel);
      if (call != nullptr && keep(tree[value].text.size()))
        call->arguments.append(tree[value].text);
    }
    add_all(tree, value, is_delta ? channel : Channel{ChannelKind::kOther, channel.choice, 0});
  });
}

void StreamReply::State::read_done_event(const JsonTree& tree, std::string_view type) {
  const std::string_view part = part_name(type, ".done");
  event.type = Type::kRepeat;
  event.index = index_at(tree, "output_index");
  if (is_sound(part)) return;
  if (part == "output_item") return read_item_done(tree);
  if (part == "content_part" || part == "reasoning_summary_part") return read_part_done(tree);
  const ChannelKind kind = kind_of(part);
  const Channel channel = channel_of(tree, kind);
  tree.each_member(0, [&](const JsonNode& key, std::size_t value) {
    if (is_event_envelope(key.text)) return;
    if (key.text == "logprobs") {
      if (tree[value].kind != JsonKind::kNull && tree[value].next > value + 1)
        event.logprobs.push_back(tree[value].span());
      return;
    }
    if (kind == ChannelKind::kToolArguments && tree[value].is_string() && key.text != "name")
      note_call({channel,
                 {},
                 short_copy(tree.string_at(0, "name")),
                 std::string(tree[value].text),
                 tree[value].span(),
                 true});
    each_string(tree, value, [&](const JsonNode& node) {
      add_done({channel, node.text, node.span(), node.is_key});
    });
  });
}

void StreamReply::State::read_item_done(const JsonTree& tree) {
  event.type = Type::kStop;
  const std::size_t item = tree.find(0, "item");
  if (item == kNone) return;
  LlmReply whole;
  ReplyReader(tree, event.document, whole).read_output_item(item, event.index);
  for (const ReplyText& text : whole.texts) add_done(text);
  for (const ToolCall& call : whole.tool_calls) note_call(call);
  event.logprobs = std::move(whole.logprobs);
}

void StreamReply::State::read_part_done(const JsonTree& tree) {
  const std::size_t part = tree.find(0, "part");
  const std::string_view type = tree.string_at(part == kNone ? 0 : part, "type");
  const bool is_reasoning = type == "summary_text" || type == "reasoning_text";
  tree.each_member(part, [&](const JsonNode& key, std::size_t value) {
    if (key.text == "logprobs" && tree[value].kind != JsonKind::kNull) {
      event.logprobs.push_back(tree[value].span());
      return;
    }
    ChannelKind kind = ChannelKind::kOther;
    if (key.text == "text" || key.text == "transcript")
      kind = is_reasoning ? ChannelKind::kReasoning : ChannelKind::kText;
    if (key.text == "refusal") kind = ChannelKind::kRefusal;
    if (key.text == "audio") return;  // base64 of sound
    const Channel channel = channel_of(tree, kind);
    if (key.text == "type" && is_protocol_word(key.text, tree[value].text)) return;
    each_string(tree, value, [&](const JsonNode& node) {
      add_done({channel, node.text, node.span(), node.is_key});
    });
  });
}

// A call said whole; `call` without id and name is the one that its channel began.
void StreamReply::State::note_call(ToolCall call) {
  if (!call.id.empty())
    for (const ToolCall& known : tool_calls)
      if (known.id == call.id) call.channel = known.channel;
  ToolCall* kept = make_call(call.channel);
  if (kept != nullptr) {
    if (kept->id.empty()) kept->id = call.id;
    if (kept->name.empty()) kept->name = call.name;
    if (kept->arguments.empty() && keep(call.arguments.size())) kept->arguments = call.arguments;
    if (call.name.empty()) call.name = kept->name;
  }
  event.calls.push_back(std::move(call));
}

void StreamReply::State::read_response_object(const JsonTree& tree, std::size_t response,
                                              bool is_last) {
  if (response == kNone) return;
  LlmReply whole;
  ReplyReader(tree, event.document, whole).read_response(response);
  if (id.empty()) id = whole.id;
  if (model.empty()) model = whole.model;
  merge_usage(whole.usage);
  event.logprobs = std::move(whole.logprobs);
  for (const ToolCall& call : whole.tool_calls) note_call(call);
  if (!is_last) {
    // Nothing is written yet, so what stands there is no text that goes on.
    for (ReplyText text : whole.texts) {
      text.channel.kind = ChannelKind::kOther;
      add(text);
    }
    return;
  }
  error = whole.error;
  finish(whole.finish_reason, 0);
  for (const ReplyText& text : whole.texts) add_done(text);
}

void StreamReply::State::add_done(const ReplyText& text) {
  ReplyText repeated = text;
  const bool is_known = text.channel.kind != ChannelKind::kText || texts.contains(text.channel);
  repeated.is_repeat = is_known && text.channel.kind != ChannelKind::kOther;
  add(repeated);
}

}  // namespace aispm::codec
