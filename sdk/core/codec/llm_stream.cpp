// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "sdk/core/codec/llm_reply_reader.hpp"
#include "sdk/core/codec/llm_stream_state.hpp"
#include "sdk/core/common/crypto.hpp"

namespace aispm::codec {
namespace {

constexpr std::size_t kNone = JsonTree::kNone;
using Type = StreamEvent::Type;

bool has_done_marker(Api api) {
  return api == Api::kOpenAiChat || api == Api::kOpenAiCompletions ||
         api == Api::kOpenAiResponses || api == Api::kLlamaCppCompletion;
}

}  // namespace

bool StreamReply::State::keep(std::size_t bytes) {
  if (kept_bytes + bytes > kMaxKeptReplyBytes) {
    cut = true;
    return false;
  }
  kept_bytes += bytes;
  return true;
}

void StreamReply::State::add(const ReplyText& text) {
  if (text.text.empty()) return;
  event.deltas.push_back(text);
  if (text.channel.kind != ChannelKind::kText || text.is_repeat) return;
  if (!texts.contains(text.channel) && texts.size() >= kMaxReplyChannels) {
    cut = true;
  } else if (keep(text.text.size())) {
    texts[text.channel].append(text.text);
  }
}

void StreamReply::State::add(const JsonNode& node, Channel channel) {
  add(ReplyText{channel, node.text, node.span(), node.is_key});
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

void StreamReply::State::merge_usage(const std::optional<Usage>& seen) {
  if (!seen) return;
  if (!usage) usage = Usage{};
  // Anthropic: message_start counts input, message_delta the running output (and at times the input
  // again).
  if (seen->input_tokens > 0) {
    const Usage before = *usage;
    usage->input_tokens = seen->input_tokens;
    usage->cached_tokens = seen->cached_tokens;
    usage->cache_written_tokens = seen->cache_written_tokens;
    if (api == Api::kAnthropicMessages) {
      // It may then leave out, or say null for, what stands beside its input_tokens.
      if (seen->cached_tokens == 0) {
        usage->cached_tokens = before.cached_tokens;
        usage->input_tokens += before.cached_tokens;
      }
      if (seen->cache_written_tokens == 0) {
        usage->cache_written_tokens = before.cache_written_tokens;
        usage->input_tokens += before.cache_written_tokens;
      }
    }
  }
  if (seen->output_tokens > 0) usage->output_tokens = seen->output_tokens;
}

void StreamReply::State::finish(std::string_view reason, std::uint32_t choice) {
  if (reason.empty()) return;
  if (finish_reason.empty()) finish_reason = short_copy(reason);
  event.finished.push_back(choice);
  event.index = choice;
  event.type = Type::kFinish;
}

Result<> StreamReply::State::read(const SseEvent& sse) {
  event.type = Type::kNothing;
  event.index = 0;
  event.deltas.clear();
  event.logprobs.clear();
  event.finished.clear();
  event.finish_reason_span = {};
  event.calls.clear();
  event.has_odd_call = false;
  event.signs_thought = false;
  event.sequence_span = {};
  event.sequence = 0;
  event.document = sse.data;
  if (!sse.has_data || sse.data.empty()) return {};
  // The clients compare the prefix, so whatever follows it is never read as JSON.
  if (has_done_marker(api) && sse.data.starts_with("[DONE]")) {
    event.type = Type::kEnd;
    ended = true;
    return {};
  }
  JsonTree& tree = thread_tree();
  AISPM_CHECK(tree.read(sse.data, kMaxJsonDepth));
  if (api == Api::kBedrockInvoke) AISPM_CHECK(unwrap(tree, sse));
  const std::size_t node = tree.find(0, "error");
  const bool has_error = node != kNone && tree[node].kind != JsonKind::kNull;
  if (has_error || is_failure(tree, sse, node)) {
    error = read_error(tree, has_error ? node : 0);
    if (error->type.empty()) error->type = short_copy(sse.event);
    add_all(tree, 0, {ChannelKind::kOther, 0, 0});
    event.type = Type::kError;
  } else {
    AISPM_CHECK(read_dialect(tree, sse));
  }
  decoded = tree.take_decoded();
  if (event.deltas.size() > kMaxTextParts)
    return fail(Errc::kTooLarge,
                "event with more than " + std::to_string(kMaxTextParts) + " strings");
  return {};
}

bool StreamReply::State::is_failure(const JsonTree& tree, const SseEvent& sse, std::size_t) const {
  if (sse.event == "error") return true;
  if (api == Api::kOpenAiResponses || api == Api::kOpenAiRealtime)
    return tree.string_at(0, "type") == "error";
  if (api == Api::kBedrockConverse || api == Api::kBedrockInvoke)
    return sse.event.ends_with("Exception");
  return false;
}

Result<> StreamReply::State::read_dialect(const JsonTree& tree, const SseEvent& sse) {
  switch (api) {
    case Api::kOpenAiChat:
    case Api::kOpenAiCompletions:
      read_chunk(tree);
      return {};
    case Api::kAnthropicMessages:
      return read_anthropic(tree, sse.event, sse.data);
    case Api::kOpenAiResponses:
    case Api::kOpenAiRealtime:
      return read_responses(tree, sse.event);
    case Api::kBedrockInvoke:
      return read_invoked(tree);
    case Api::kBedrockConverse:
      read_converse(tree, sse.event, 0);
      return {};
    default:
      return read_piece(tree);
  }
}

Result<> StreamReply::State::read_piece(const JsonTree& tree) {
  LlmReply piece;
  AISPM_CHECK(ReplyReader(tree, event.document, piece).read(api));
  event.type = Type::kStart;
  merge(piece, static_cast<std::uint32_t>(tool_calls.size()));
  if (!event.deltas.empty()) event.type = Type::kDelta;
  if (api == Api::kGeminiGenerate) {
    event.has_odd_call = event.has_odd_call || piece.has_odd_call;
    for (const std::uint32_t choice : piece.finished) finish(piece.finish_reason, choice);
  } else {
    finish(piece.finish_reason, 0);
  }
  const auto is_true = [&](std::string_view key) {
    const std::size_t node = tree.find(0, key);
    return node != kNone && tree[node].kind == JsonKind::kTrue;
  };
  const bool is_ollama = api == Api::kOllamaChat || api == Api::kOllamaGenerate;
  if ((is_ollama && is_true("done")) || (api == Api::kLlamaCppCompletion && is_true("stop"))) {
    event.type = Type::kEnd;
    ended = true;
  }
  // Gemini has no end marker: the piece with the reason is the last one.
  if (api == Api::kGeminiGenerate && !finish_reason.empty()) ended = true;
  return {};
}

// The calls of a piece are whole, so each is a channel of its own.
void StreamReply::State::merge(const LlmReply& piece, std::uint32_t call_offset) {
  if (id.empty()) id = piece.id;
  if (model.empty()) model = piece.model;
  merge_usage(piece.usage);
  const auto placed = [&](Channel channel) {
    if (channel.kind == ChannelKind::kToolArguments) channel.index += call_offset;
    return channel;
  };
  for (ReplyText text : piece.texts) {
    text.channel = placed(text.channel);
    add(text);
  }
  event.logprobs.insert(event.logprobs.end(), piece.logprobs.begin(), piece.logprobs.end());
  for (const ToolCall& call : piece.tool_calls) {
    ToolCall* kept = make_call(placed(call.channel));
    if (kept == nullptr) {
      event.has_odd_call = true;
      continue;
    }
    kept->id = call.id;
    kept->name = call.name;
    if (keep(call.arguments.size())) kept->arguments.append(call.arguments);
    event.calls.push_back(call);
    event.calls.back().channel = kept->channel;
  }
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
