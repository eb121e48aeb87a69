// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/codec/llm_reply_reader.hpp"
#include "sdk/core/common/crypto.hpp"

namespace aispm::codec {
namespace {

constexpr std::size_t kNone = JsonTree::kNone;

}  // namespace

bool is_envelope_key(std::string_view key) {
  return key == "id" || key == "object" || key == "model" || key == "system_fingerprint" ||
         key == "service_tier" || key == "type" || key == "role" || key == "finish_reason" ||
         key == "stop_reason" || key == "index" || key == "created";
}

Result<> ReplyReader::read(Api api) {
  if (read_failure(api)) return {};
  reply_.id = short_copy(tree_.string_at(0, "id"));
  reply_.model = short_copy(tree_.string_at(0, "model"));
  AISPM_CHECK(read_dialect(api));
  if (reply_.texts.size() > kMaxTextParts || reply_.tool_calls.size() > kMaxReplyChannels)
    return fail(Errc::kTooLarge, "reply with too many strings or tool calls");
  return {};
}

Result<> ReplyReader::read_dialect(Api api) {
  switch (api) {
    case Api::kOpenAiChat:
    case Api::kOpenAiCompletions:
      return read_chat(api);
    case Api::kAnthropicMessages:
      return read_messages();
    case Api::kOpenAiResponses:
    case Api::kOpenAiRealtime:
      if (tree_.find(0, "output") == kNone && tree_.find(0, "status") == kNone)
        return fail(Errc::kInvalid, "byte 0: no \"output\" array");
      read_response(0);
      return {};
    case Api::kOpenAiModels:
      read_models("data");
      return {};
    case Api::kOllamaTags:
      read_models("models");
      return {};
    case Api::kGeminiGenerate:
      read_gemini(0);
      return {};
    case Api::kBedrockConverse:
      read_bedrock(0);
      return {};
    case Api::kBedrockInvoke:
      return read_invoked();
    case Api::kOllamaChat:
    case Api::kOllamaGenerate:
    case Api::kLlamaCppCompletion:
      read_plain(api);
      return {};
    case Api::kOpenAiEmbeddings:
    case Api::kOpenAiModerations:
    case Api::kAnthropicCountTokens:
    case Api::kGeminiEmbed:
    case Api::kGeminiCountTokens:
    case Api::kOllamaEmbed:
      read_counts(api);
      return {};
  }
  return {};
}

// True when the body is an error's. Some servers say so without "error": Bedrock by its HTTP status
// alone, vLLM by "object".
bool ReplyReader::read_failure(Api api) {
  std::size_t error = tree_.find(0, "error");
  if (error != kNone && tree_[error].kind == JsonKind::kNull) error = kNone;
  const bool is_bedrock = api == Api::kBedrockInvoke || api == Api::kBedrockConverse;
  const bool is_bare =
      tree_.string_at(0, "object") == "error" ||
      (is_bedrock && tree_.find(0, "output") == kNone &&
       (!tree_.string_at(0, "message").empty() || !tree_.string_at(0, "Message").empty()));
  if (error == kNone && !is_bare) return false;
  // A failed response is a response all the same.
  const bool is_response = error != kNone && tree_.string_at(0, "object") == "response";
  reply_.error = read_error(tree_, error != kNone ? error : 0);
  if (is_response) return false;
  add_all(0, {ChannelKind::kOther, 0, 0});
  return true;
}

Result<> ReplyReader::read_chat(Api api) {
  reply_.usage = read_usage(api, tree_, tree_.find(0, "usage"));
  const std::size_t items = tree_.find(0, "choices");
  if (items == kNone || tree_[items].kind != JsonKind::kArray)
    return fail(Errc::kInvalid, "byte 0: no \"choices\" array");
  tree_.each_member(0, [&](const JsonNode& key, std::size_t value) {
    if (value == items) {
      tree_.each_element(items, [&](std::size_t item, std::size_t position) {
        read_choice(item, static_cast<std::uint32_t>(position));
      });
    } else if (!is_envelope_key(key.text) && key.text != "usage") {
      add_all(value, {ChannelKind::kOther, 0, 0});
    }
  });
  return {};
}

Result<> ReplyReader::read_messages() {
  reply_.usage = read_usage(Api::kAnthropicMessages, tree_, tree_.find(0, "usage"));
  const std::size_t items = tree_.find(0, "content");
  if (items == kNone || tree_[items].kind != JsonKind::kArray)
    return fail(Errc::kInvalid, "byte 0: no \"content\" array");
  reply_.finish_reason = short_copy(tree_.string_at(0, "stop_reason"));
  tree_.each_member(0, [&](const JsonNode& key, std::size_t value) {
    if (value == items) {
      tree_.each_element(items, [&](std::size_t item, std::size_t position) {
        read_block(item, static_cast<std::uint32_t>(position));
      });
    } else if (!is_envelope_key(key.text) && key.text != "usage") {
      add_all(value, {ChannelKind::kOther, 0, 0});
    }
  });
  return {};
}

void ReplyReader::read_choice(std::size_t choice, std::uint32_t position) {
  const auto index =
      static_cast<std::uint32_t>(tree_.number_at(choice, "index").value_or(position));
  if (reply_.finish_reason.empty())
    reply_.finish_reason = short_copy(tree_.string_at(choice, "finish_reason"));
  tree_.each_member(choice, [&](const JsonNode& key, std::size_t value) {
    if (key.text == "message") {
      read_message(value, index);
    } else if (key.text == "text") {  // completions
      add_text(value, {ChannelKind::kText, index, 0});
    } else if (says_tokens(key.text)) {
      if (tree_[value].kind != JsonKind::kNull) reply_.logprobs.push_back(tree_[value].span());
    } else if (!is_envelope_key(key.text)) {
      add_all(value, {ChannelKind::kOther, index, 0});
    }
  });
}

void ReplyReader::read_message(std::size_t message, std::uint32_t choice) {
  tree_.each_member(message, [&](const JsonNode& key, std::size_t value) {
    if (key.text == "content") {
      add_text(value, {ChannelKind::kText, choice, 0});
    } else if (key.text == "refusal") {
      add_text(value, {ChannelKind::kRefusal, choice, 0});
    } else if (key.text == "reasoning" || key.text == "reasoning_content" ||
               key.text == "thinking") {
      add_text(value, {ChannelKind::kReasoning, choice, 0});
    } else if (key.text == "tool_calls") {
      tree_.each_element(value, [&](std::size_t call, std::size_t position) {
        read_call(call, tree_.find(call, "function"), choice, static_cast<std::uint32_t>(position));
      });
    } else if (key.text == "function_call" && tree_[value].kind == JsonKind::kObject) {
      read_call(kNone, value, choice, 0);
    } else if (!is_envelope_key(key.text)) {
      // A spoken answer says its transcript.
      const std::size_t sound = key.text == "audio" ? tree_.find(value, "data") : kNone;
      if (sound != kNone) reply_.logprobs.push_back(tree_[sound].span());
      add_all(value, {ChannelKind::kOther, choice, 0});
    }
  });
}

void ReplyReader::read_call(std::size_t call, std::size_t function, std::uint32_t choice,
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
    if (key.text == "arguments" || key.text == "input") {
      result.arguments.append(text_of(value));
      result.arguments_span = tree_[value].span();
      result.arguments_are_text = tree_[value].is_string();
    }
    if (key.text == "name") return;
    add_all(value, channel);
  });
  reply_.tool_calls.push_back(std::move(result));
}

void ReplyReader::read_block(std::size_t block, std::uint32_t index) {
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

void ReplyReader::read_tool_use(std::size_t block, std::uint32_t index) {
  const Channel channel{ChannelKind::kToolArguments, 0, index};
  ToolCall call{channel,
                short_copy(tree_.string_at(block, "id")),
                short_copy(tree_.string_at(block, "name")),
                {}};
  tree_.each_member(block, [&](const JsonNode& key, std::size_t value) {
    if (key.text == "input") {
      const JsonSpan span = tree_[value].span();
      call.arguments = body_.substr(span.begin, span.size());
      call.arguments_span = span;
      add_all(value, channel);
    } else if (key.text != "name" && !is_envelope_key(key.text)) {
      add_all(value, {ChannelKind::kOther, 0, index});
    }
  });
  reply_.tool_calls.push_back(std::move(call));
}

void ReplyReader::add_text(std::size_t value, Channel channel) {
  if (tree_[value].is_string()) return add(tree_[value], channel);
  add_all(value, channel);
}

void ReplyReader::add_all(std::size_t value, Channel channel) {
  each_string(tree_, value, [&](const JsonNode& node) { add(node, channel); });
}

void ReplyReader::add(const JsonNode& node, Channel channel) {
  if (!node.text.empty()) reply_.texts.push_back({channel, node.text, node.span(), node.is_key});
}

std::string_view ReplyReader::text_of(std::size_t value) const {
  const JsonNode& node = tree_[value];
  if (node.is_string()) return node.text;
  return body_.substr(node.begin, node.span().size());
}

void ReplyReader::add_call(std::string_view id, std::string_view name, std::size_t arguments,
                           Channel channel) {
  ToolCall call{channel, short_copy(id), short_copy(name), {}};
  if (arguments != kNone && tree_[arguments].kind != JsonKind::kNull) {
    call.arguments = text_of(arguments);
    call.arguments_span = tree_[arguments].span();
    call.arguments_are_text = tree_[arguments].is_string();
    add_all(arguments, channel);
  }
  reply_.tool_calls.push_back(std::move(call));
}

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
  const Channel* last = nullptr;
  for (const ReplyText& part : reply.texts) {
    if (part.channel.kind != ChannelKind::kText) continue;
    // As a stream's deltas, pieces of one channel are one text.
    if (last != nullptr && *last != part.channel) text.push_back('\n');
    last = &part.channel;
    text.append(part.text);
  }
  return text;
}

std::string reply_sha256(const LlmReply& reply) { return sha256_hex(reply_text(reply)); }

}  // namespace aispm::codec
