// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>

#include "sdk/core/codec/llm_internal.hpp"
#include "sdk/core/common/crypto.hpp"

namespace aispm::codec {
namespace {

constexpr std::size_t kNone = JsonTree::kNone;
using Type = StreamEvent::Type;

bool is_chunk_envelope(std::string_view key) {
  return key == "id" || key == "object" || key == "model" || key == "system_fingerprint" ||
         key == "service_tier" || key == "type" || key == "role" || key == "index" ||
         key == "usage" || key == "obfuscation" || key == "finish_reason" || key == "stop_reason";
}

}  // namespace

struct StreamReply::State {
  explicit State(Api stream_api) : api(stream_api) {}

  Api api;
  StreamEvent event;
  std::unique_ptr<char[]> decoded;  // of the event read last
  std::string id;
  std::string model;
  std::string finish_reason;
  std::optional<Usage> usage;
  std::optional<LlmError> error;
  std::vector<ToolCall> tool_calls;
  std::map<Channel, std::string> texts;
  std::size_t kept_bytes = 0;
  bool ended = false;
  bool cut = false;

  Result<> read(const SseEvent& sse);
  void read_chunk(const JsonTree& tree);
  void read_choice(const JsonTree& tree, std::size_t choice, std::uint32_t position);
  void read_delta(const JsonTree& tree, std::size_t delta, std::uint32_t choice);
  void read_call(const JsonTree& tree, std::size_t call, std::uint32_t choice,
                 std::uint32_t position);
  Result<> read_anthropic(const JsonTree& tree, std::string_view event_name, std::string_view data);
  void read_block_start(const JsonTree& tree, std::string_view data, std::uint32_t index);
  void read_block_delta(const JsonTree& tree, std::uint32_t index);
  void read_message_delta(const JsonTree& tree);

  ToolCall* find_call(Channel channel);
  ToolCall* make_call(Channel channel);
  void merge_usage(const JsonTree& tree, std::size_t node);
  bool keep(std::size_t bytes);
  void add(const JsonNode& node, Channel channel);
  void add_all(const JsonTree& tree, std::size_t value, Channel channel);
};

bool StreamReply::State::keep(std::size_t bytes) {
  if (kept_bytes + bytes > kMaxKeptReplyBytes) {
    cut = true;
    return false;
  }
  kept_bytes += bytes;
  return true;
}

void StreamReply::State::add(const JsonNode& node, Channel channel) {
  if (node.text.empty()) return;
  event.deltas.push_back({channel, node.text, node.span(), node.is_key});
  if (channel.kind != ChannelKind::kText) return;
  if (!texts.contains(channel) && texts.size() >= kMaxReplyChannels) {
    cut = true;
  } else if (keep(node.text.size())) {
    texts[channel].append(node.text);
  }
}

void StreamReply::State::add_all(const JsonTree& tree, std::size_t value, Channel channel) {
  each_string(tree, value, [&](const JsonNode& node) { add(node, channel); });
}

ToolCall* StreamReply::State::find_call(Channel channel) {
  const auto found = std::find_if(tool_calls.rbegin(), tool_calls.rend(),
                                  [&](const ToolCall& call) { return call.channel == channel; });
  return found == tool_calls.rend() ? nullptr : &*found;
}

ToolCall* StreamReply::State::make_call(Channel channel) {
  if (ToolCall* call = find_call(channel)) return call;
  if (tool_calls.size() >= kMaxReplyChannels) {
    cut = true;
    return nullptr;
  }
  return &tool_calls.emplace_back(ToolCall{channel, {}, {}, {}});
}

void StreamReply::State::merge_usage(const JsonTree& tree, std::size_t node) {
  const auto seen = read_usage(api, tree, node);
  if (!seen) return;
  if (!usage) usage = Usage{};
  // Anthropic: message_start counts input, message_delta the running output (and at times the input
  // again).
  if (seen->input_tokens > 0) usage->input_tokens = seen->input_tokens;
  if (seen->output_tokens > 0) usage->output_tokens = seen->output_tokens;
}

Result<> StreamReply::State::read(const SseEvent& sse) {
  event.type = Type::kNothing;
  event.index = 0;
  event.deltas.clear();
  event.logprobs.clear();
  event.finished.clear();
  event.finish_reason_span = {};
  if (!sse.has_data || sse.data.empty()) return {};
  // The clients compare the prefix, so whatever follows it is never read as JSON.
  if (api == Api::kOpenAiChat && sse.data.starts_with("[DONE]")) {
    event.type = Type::kEnd;
    ended = true;
    return {};
  }
  JsonTree& tree = thread_tree();
  AISPM_CHECK(tree.read(sse.data, kMaxJsonDepth));
  const std::size_t node = tree.find(0, "error");
  const bool has_error = node != kNone && tree[node].kind != JsonKind::kNull;
  if (has_error || sse.event == "error") {
    error = read_error(tree, has_error ? node : 0);
    add_all(tree, 0, {ChannelKind::kOther, 0, 0});
    event.type = Type::kError;
  } else if (api == Api::kOpenAiChat) {
    read_chunk(tree);
  } else {
    AISPM_CHECK(read_anthropic(tree, sse.event, sse.data));
  }
  decoded = tree.take_decoded();
  if (event.deltas.size() > kMaxTextParts)
    return fail(Errc::kTooLarge,
                "sse event with more than " + std::to_string(kMaxTextParts) + " strings");
  return {};
}

void StreamReply::State::read_chunk(const JsonTree& tree) {
  if (id.empty()) id = short_copy(tree.string_at(0, "id"));
  if (model.empty()) model = short_copy(tree.string_at(0, "model"));
  const std::size_t usage_node = tree.find(0, "usage");
  merge_usage(tree, usage_node);
  const std::size_t choices = tree.find(0, "choices");
  tree.each_member(0, [&](const JsonNode& key, std::size_t value) {
    if (value == choices) {
      tree.each_element(value, [&](std::size_t choice, std::size_t position) {
        read_choice(tree, choice, static_cast<std::uint32_t>(position));
      });
    } else if (!is_chunk_envelope(key.text)) {
      add_all(tree, value, {ChannelKind::kOther, 0, 0});
    }
  });
  const bool is_empty = choices != kNone && tree[choices].next == choices + 1;
  const bool has_usage = usage_node != kNone && tree[usage_node].kind == JsonKind::kObject;
  if (!event.finished.empty()) {
    event.type = Type::kFinish;
    event.index = event.finished.front();
  } else if (is_empty && has_usage) {
    event.type = Type::kUsage;
  } else {
    event.type = event.deltas.empty() ? Type::kStart : Type::kDelta;
  }
}

void StreamReply::State::read_choice(const JsonTree& tree, std::size_t choice,
                                     std::uint32_t position) {
  const auto index = static_cast<std::uint32_t>(tree.number_at(choice, "index").value_or(position));
  tree.each_member(choice, [&](const JsonNode& key, std::size_t value) {
    if (key.text == "delta" || key.text == "message") {
      read_delta(tree, value, index);
    } else if (key.text == "finish_reason") {
      if (!tree[value].is_string() || tree[value].text.empty()) return;
      if (finish_reason.empty()) finish_reason = short_copy(tree[value].text);
      event.finish_reason_span = tree[value].span();
      event.finished.push_back(index);
    } else if (key.text == "logprobs") {
      if (tree[value].kind != JsonKind::kNull) event.logprobs.push_back(tree[value].span());
    } else if (!is_chunk_envelope(key.text)) {
      add_all(tree, value, {ChannelKind::kOther, index, 0});
    }
  });
}

void StreamReply::State::read_delta(const JsonTree& tree, std::size_t delta, std::uint32_t choice) {
  tree.each_member(delta, [&](const JsonNode& key, std::size_t value) {
    if (key.text == "content") {
      add_all(tree, value, {ChannelKind::kText, choice, 0});
    } else if (key.text == "refusal") {
      add_all(tree, value, {ChannelKind::kRefusal, choice, 0});
    } else if (key.text == "reasoning" || key.text == "reasoning_content") {
      add_all(tree, value, {ChannelKind::kReasoning, choice, 0});
    } else if (key.text == "tool_calls") {
      tree.each_element(value, [&](std::size_t call, std::size_t position) {
        read_call(tree, call, choice, static_cast<std::uint32_t>(position));
      });
    } else if (key.text == "function_call") {
      read_call(tree, value, choice, 0);
    } else if (!is_chunk_envelope(key.text)) {
      add_all(tree, value, {ChannelKind::kOther, choice, 0});
    }
  });
}

// {"index","id","type","function":{"name","arguments"}}, or the inner object alone (function_call).
void StreamReply::State::read_call(const JsonTree& tree, std::size_t call, std::uint32_t choice,
                                   std::uint32_t position) {
  if (tree[call].kind != JsonKind::kObject) return;
  const auto index = static_cast<std::uint32_t>(tree.number_at(call, "index").value_or(position));
  const Channel channel{ChannelKind::kToolArguments, choice, index};
  std::size_t function = tree.find(call, "function");
  if (function == kNone) function = tree.find(call, "custom");
  if (function == kNone) function = call;
  ToolCall* kept = make_call(channel);
  if (kept != nullptr) {
    if (kept->id.empty()) kept->id = short_copy(tree.string_at(call, "id"));
    if (kept->name.empty()) kept->name = short_copy(tree.string_at(function, "name"));
  }
  const auto read_members = [&](std::size_t object) {
    tree.each_member(object, [&](const JsonNode& key, std::size_t value) {
      if (value == function || key.text == "name" || is_chunk_envelope(key.text)) return;
      if ((key.text == "arguments" || key.text == "input") && kept != nullptr &&
          keep(tree[value].text.size()))
        kept->arguments.append(tree[value].text);
      add_all(tree, value, channel);
    });
  };
  read_members(call);
  if (function != call) read_members(function);
}

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
  ToolCall* call = is_tool ? make_call(arguments) : nullptr;
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
      if (tree[value].next > value + 1 && call != nullptr && keep(span.size()))
        call->arguments.assign(data.substr(span.begin, span.size()));
      add_all(tree, value, arguments);
    } else if (!(is_tool && key.text == "name") && !is_chunk_envelope(key.text)) {
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
    } else if (key.text != "type" && key.text != "signature") {
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

StreamReply::StreamReply(Api api) : state_(std::make_unique<State>(api)) {}
StreamReply::~StreamReply() = default;
StreamReply::StreamReply(StreamReply&&) noexcept = default;
StreamReply& StreamReply::operator=(StreamReply&&) noexcept = default;

Result<const StreamEvent*> StreamReply::read(const SseEvent& event) {
  AISPM_CHECK(state_->read(event));
  return &state_->event;
}

const std::string& StreamReply::id() const { return state_->id; }
const std::string& StreamReply::model() const { return state_->model; }
const std::string& StreamReply::finish_reason() const { return state_->finish_reason; }
const std::optional<Usage>& StreamReply::usage() const { return state_->usage; }
const std::optional<LlmError>& StreamReply::error() const { return state_->error; }
const std::vector<ToolCall>& StreamReply::tool_calls() const { return state_->tool_calls; }
bool StreamReply::ended() const { return state_->ended; }
bool StreamReply::is_cut() const { return state_->cut; }
std::size_t StreamReply::kept_bytes() const { return state_->kept_bytes; }

std::string StreamReply::text() const {
  std::string text;
  for (const auto& [channel, part] : state_->texts) {
    if (!text.empty()) text.push_back('\n');
    text.append(part);
  }
  return text;
}

std::string StreamReply::sha256() const { return sha256_hex(text()); }

}  // namespace aispm::codec
