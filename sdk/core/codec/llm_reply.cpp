// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/codec/llm_internal.hpp"
#include "sdk/core/common/crypto.hpp"

namespace aispm::codec {
namespace {

constexpr std::size_t kNone = JsonTree::kNone;

// Members of a reply that are the protocol's own and carry no text.
bool is_envelope_key(std::string_view key) {
  return key == "id" || key == "object" || key == "model" || key == "system_fingerprint" ||
         key == "service_tier" || key == "type" || key == "role" || key == "finish_reason" ||
         key == "stop_reason" || key == "index" || key == "created";
}

class ReplyReader {
 public:
  ReplyReader(const JsonTree& tree, std::string_view body, LlmReply& reply)
      : tree_(tree), body_(body), reply_(reply) {}

  Result<> read(Api api) {
    const std::size_t error = tree_.find(0, "error");
    if (error != kNone && tree_[error].kind != JsonKind::kNull) {
      reply_.error = read_error(tree_, error);
      add_all(0, {ChannelKind::kOther, 0, 0});
      return {};
    }
    reply_.id = short_copy(tree_.string_at(0, "id"));
    reply_.model = short_copy(tree_.string_at(0, "model"));
    reply_.usage = read_usage(api, tree_, tree_.find(0, "usage"));
    const bool is_openai = api == Api::kOpenAiChat;
    const std::string_view list = is_openai ? "choices" : "content";
    const std::size_t items = tree_.find(0, list);
    if (items == kNone || tree_[items].kind != JsonKind::kArray)
      return fail(Errc::kInvalid, "byte 0: no \"" + std::string(list) + "\" array");
    if (!is_openai) reply_.finish_reason = short_copy(tree_.string_at(0, "stop_reason"));
    tree_.each_member(0, [&](const JsonNode& key, std::size_t value) {
      if (value == items) {
        tree_.each_element(items, [&](std::size_t item, std::size_t position) {
          const auto index = static_cast<std::uint32_t>(position);
          is_openai ? read_choice(item, index) : read_block(item, index);
        });
      } else if (!is_envelope_key(key.text) && key.text != "usage") {
        add_all(value, {ChannelKind::kOther, 0, 0});
      }
    });
    if (reply_.texts.size() > kMaxTextParts || reply_.tool_calls.size() > kMaxReplyChannels)
      return fail(Errc::kTooLarge, "reply with too many strings or tool calls");
    return {};
  }

 private:
  void read_choice(std::size_t choice, std::uint32_t position) {
    const auto index =
        static_cast<std::uint32_t>(tree_.number_at(choice, "index").value_or(position));
    if (reply_.finish_reason.empty())
      reply_.finish_reason = short_copy(tree_.string_at(choice, "finish_reason"));
    tree_.each_member(choice, [&](const JsonNode& key, std::size_t value) {
      if (key.text == "message") {
        read_message(value, index);
      } else if (key.text == "logprobs") {
        if (tree_[value].kind != JsonKind::kNull) reply_.logprobs.push_back(tree_[value].span());
      } else if (!is_envelope_key(key.text)) {
        add_all(value, {ChannelKind::kOther, index, 0});
      }
    });
  }

  void read_message(std::size_t message, std::uint32_t choice) {
    tree_.each_member(message, [&](const JsonNode& key, std::size_t value) {
      if (key.text == "content") {
        add_text(value, {ChannelKind::kText, choice, 0});
      } else if (key.text == "refusal") {
        add_text(value, {ChannelKind::kRefusal, choice, 0});
      } else if (key.text == "reasoning" || key.text == "reasoning_content") {
        add_text(value, {ChannelKind::kReasoning, choice, 0});
      } else if (key.text == "tool_calls") {
        tree_.each_element(value, [&](std::size_t call, std::size_t position) {
          read_call(call, tree_.find(call, "function"), choice,
                    static_cast<std::uint32_t>(position));
        });
      } else if (key.text == "function_call" && tree_[value].kind == JsonKind::kObject) {
        read_call(kNone, value, choice, 0);
      } else if (!is_envelope_key(key.text)) {
        add_all(value, {ChannelKind::kOther, choice, 0});
      }
    });
  }

  // `call` holds the id (kNone for the old function_call form), `function` name and arguments.
  void read_call(std::size_t call, std::size_t function, std::uint32_t choice,
                 std::uint32_t index) {
    const Channel channel{ChannelKind::kToolArguments, choice, index};
    if (function == kNone && call != kNone) function = tree_.find(call, "custom");
    if (function == kNone) return call != kNone ? add_all(call, channel) : void();
    ToolCall result{channel, {}, short_copy(tree_.string_at(function, "name")), {}};
    if (call != kNone) {
      result.id = short_copy(tree_.string_at(call, "id"));
      tree_.each_member(call, [&](const JsonNode& key, std::size_t value) {
        if (value != function && !is_envelope_key(key.text)) add_all(value, channel);
      });
    }
    tree_.each_member(function, [&](const JsonNode& key, std::size_t value) {
      if (key.text == "arguments" || key.text == "input")
        result.arguments.append(tree_[value].text);
      if (key.text == "name") return;
      add_all(value, channel);
    });
    reply_.tool_calls.push_back(std::move(result));
  }

  void read_block(std::size_t block, std::uint32_t index) {
    const std::string_view type = tree_.string_at(block, "type");
    if (type.ends_with("tool_use")) return read_tool_use(block, index);
    ChannelKind kind = ChannelKind::kOther;
    if (type == "text") kind = ChannelKind::kText;
    if (type.ends_with("thinking")) kind = ChannelKind::kReasoning;
    tree_.each_member(block, [&](const JsonNode& key, std::size_t value) {
      if (key.text == "text" || key.text == "thinking") {
        add_text(value, {kind, 0, index});
      } else if (!is_envelope_key(key.text) && key.text != "signature") {
        add_all(value, {ChannelKind::kOther, 0, index});
      }
    });
  }

  void read_tool_use(std::size_t block, std::uint32_t index) {
    const Channel channel{ChannelKind::kToolArguments, 0, index};
    ToolCall call{channel,
                  short_copy(tree_.string_at(block, "id")),
                  short_copy(tree_.string_at(block, "name")),
                  {}};
    tree_.each_member(block, [&](const JsonNode& key, std::size_t value) {
      if (key.text == "input") {
        const JsonSpan span = tree_[value].span();
        call.arguments = body_.substr(span.begin, span.size());
        add_all(value, channel);
      } else if (key.text != "name" && !is_envelope_key(key.text)) {
        add_all(value, {ChannelKind::kOther, 0, index});
      }
    });
    reply_.tool_calls.push_back(std::move(call));
  }

  // A string, or an array of blocks as some compatible servers send.
  void add_text(std::size_t value, Channel channel) {
    if (tree_[value].is_string()) return add(tree_[value], channel);
    add_all(value, channel);
  }

  void add_all(std::size_t value, Channel channel) {
    each_string(tree_, value, [&](const JsonNode& node) { add(node, channel); });
  }

  void add(const JsonNode& node, Channel channel) {
    if (!node.text.empty()) reply_.texts.push_back({channel, node.text, node.span(), node.is_key});
  }

  const JsonTree& tree_;
  std::string_view body_;
  LlmReply& reply_;
};

}  // namespace

Result<LlmReply> parse_reply(Api api, std::string_view body) {
  if (body.size() > kMaxLlmBodyBytes)
    return fail(Errc::kTooLarge,
                "body of more than " + std::to_string(kMaxLlmBodyBytes) + " bytes");
  JsonTree& tree = thread_tree();
  AISPM_CHECK(tree.read(body, kMaxJsonDepth));
  LlmReply reply;
  AISPM_CHECK(ReplyReader(tree, body, reply).read(api));
  reply.decoded = tree.take_decoded();
  return reply;
}

std::string reply_text(const LlmReply& reply) {
  std::string text;
  bool is_first = true;
  for (const ReplyText& part : reply.texts) {
    if (part.channel.kind != ChannelKind::kText) continue;
    if (!is_first) text.push_back('\n');
    is_first = false;
    text.append(part.text);
  }
  return text;
}

std::string reply_sha256(const LlmReply& reply) { return sha256_hex(reply_text(reply)); }

}  // namespace aispm::codec
