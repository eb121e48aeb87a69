// SPDX-License-Identifier: Apache-2.0
// Chunks of a streamed chat completion, and of a completion of a text.
#include "sdk/core/codec/llm_stream_state.hpp"

namespace aispm::codec {
namespace {

constexpr std::size_t kNone = JsonTree::kNone;
using Type = StreamEvent::Type;

// Places of a chat's texts within their kind; tools and all else begin at 0.
constexpr std::uint32_t kTranscript = 1;  // of kText
constexpr std::uint32_t kReasoningContent = 0;
constexpr std::uint32_t kReasoningText = 1;
constexpr std::uint32_t kReasoningDetails = 2;  // and on
// And of calls that begin under the index of another, behind every index that a server may give.
constexpr std::uint32_t kMovedCalls = 1U << 31U;

bool is_chunk_envelope(std::string_view key) {
  return key == "id" || key == "object" || key == "model" || key == "system_fingerprint" ||
         key == "service_tier" || key == "type" || key == "role" || key == "index" ||
         key == "usage" || key == "obfuscation" || key == "finish_reason" || key == "stop_reason";
}

}  // namespace

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
  const bool is_empty = choices == kNone || tree[choices].kind == JsonKind::kNull ||
                        tree[choices].next == choices + 1;
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
    } else if (key.text == "text" && api == Api::kOpenAiCompletions) {
      add_all(tree, value, {ChannelKind::kText, index, 0});
    } else if (key.text == "finish_reason") {
      if (!tree[value].is_string() || tree[value].text.empty()) return;
      if (finish_reason.empty()) finish_reason = short_copy(tree[value].text);
      event.finish_reason_span = tree[value].span();
      event.finished.push_back(index);
    } else if (says_tokens(key.text)) {
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
    } else if (key.text == "reasoning_content") {
      add_all(tree, value, {ChannelKind::kReasoning, choice, kReasoningContent});
    } else if (key.text == "reasoning") {
      // Some servers say both, piece by piece: in one channel each would break up the other.
      add_all(tree, value, {ChannelKind::kReasoning, choice, kReasoningText});
    } else if (key.text == "reasoning_details" && tree[value].kind == JsonKind::kArray) {
      read_reasoning_details(tree, value, choice);
    } else if (key.text == "audio" && tree[value].kind == JsonKind::kObject) {
      tree.each_member(value, [&](const JsonNode& name, std::size_t part) {
        const bool is_spoken = name.text == "transcript";
        if (!is_chunk_envelope(name.text))
          add_all(tree, part,
                  is_spoken ? Channel{ChannelKind::kText, choice, kTranscript}
                            : Channel{ChannelKind::kOther, choice, 0});
      });
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

// OpenRouter's [{"type","text"|"summary"|"data",...,"index"}]: each entry grows by itself.
void StreamReply::State::read_reasoning_details(const JsonTree& tree, std::size_t details,
                                                std::uint32_t choice) {
  tree.each_element(details, [&](std::size_t entry, std::size_t position) {
    if (tree[entry].kind != JsonKind::kObject)
      return add_all(tree, entry, {ChannelKind::kOther, choice, 0});
    const std::uint64_t place = tree.number_at(entry, "index").value_or(position);
    const auto index = kReasoningDetails + static_cast<std::uint32_t>(place % kMaxReplyChannels);
    tree.each_member(entry, [&](const JsonNode& key, std::size_t value) {
      const bool grows = key.text == "text" || key.text == "summary";
      if (!is_chunk_envelope(key.text))
        add_all(tree, value,
                grows ? Channel{ChannelKind::kReasoning, choice, index}
                      : Channel{ChannelKind::kOther, choice, 0});
    });
  });
}

// Where a piece of a call belongs. Some servers send parallel calls under one index, or under none,
// each with an id of its own. Clients that go by the index alone put them together: only behind
// arguments that are whole does that give nothing a tool would take, so only there a call begins.
Channel StreamReply::State::place_call(const JsonTree& tree, std::size_t call,
                                       std::string_view name, Channel indexed) {
  Channel open = indexed;
  const auto moved = moved_calls.find(indexed);
  if (moved != moved_calls.end()) open.index = moved->second;
  const ToolCall* const before = find_call(open);
  const std::string named = short_copy(tree.string_at(call, "id"));
  if (before == nullptr || before->id.empty() || named.empty() || named == before->id ||
      name.empty())
    return open;
  JsonTree whole;
  if (!whole.read(before->arguments, kMaxJsonDepth)) return open;
  open.index = kMovedCalls + static_cast<std::uint32_t>(tool_calls.size());
  if (tool_calls.size() < kMaxReplyChannels) moved_calls[indexed] = open.index;
  return open;
}

// {"index","id","type","function":{"name","arguments"}}, or the inner object alone (function_call).
void StreamReply::State::read_call(const JsonTree& tree, std::size_t call, std::uint32_t choice,
                                   std::uint32_t position) {
  if (tree[call].kind != JsonKind::kObject) return;
  const std::uint64_t index = tree.number_at(call, "index").value_or(position);
  if (index >= kMovedCalls) event.has_odd_call = true;
  std::size_t function = tree.find(call, "function");
  if (function == kNone) function = tree.find(call, "custom");
  if (function == kNone) function = call;
  // Clients put a name together from its pieces, or take the first or the last of them.
  const std::string name = short_copy(tree.string_at(function, "name"));
  const Channel indexed{ChannelKind::kToolArguments, choice,
                        static_cast<std::uint32_t>(index % kMovedCalls)};
  const Channel channel = place_call(tree, call, name, indexed);
  ToolCall* kept = make_call(channel);
  event.has_odd_call = event.has_odd_call || kept == nullptr;
  if (kept != nullptr) {
    if (kept->id.empty()) kept->id = short_copy(tree.string_at(call, "id"));
    if (kept->name.empty()) kept->name = name;
    if (!name.empty() && name != kept->name) event.has_odd_call = true;
  }
  const auto read_members = [&](std::size_t object) {
    tree.each_member(object, [&](const JsonNode& key, std::size_t value) {
      if (value == function || key.text == "name" || is_chunk_envelope(key.text)) return;
      const bool is_argument = key.text == "arguments" || key.text == "input";
      if (is_argument && !tree[value].is_string() && tree[value].kind != JsonKind::kNull)
        event.has_odd_call = true;
      if (is_argument && kept != nullptr && keep(tree[value].text.size()))
        kept->arguments.append(tree[value].text);
      // What stands beside them (a vendor's signature) is no part of them.
      add_all(tree, value,
              is_argument ? channel : Channel{ChannelKind::kOther, choice, indexed.index});
    });
  };
  read_members(call);
  if (function != call) read_members(function);
}

}  // namespace aispm::codec
