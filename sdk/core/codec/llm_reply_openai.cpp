// SPDX-License-Identifier: Apache-2.0
// OpenAI's other replies: responses, lists of models, and those that hold numbers only.
#include "sdk/core/codec/llm_reply_reader.hpp"

namespace aispm::codec {
namespace {

constexpr std::size_t kNone = JsonTree::kNone;

// Members of a response that echo the request.
bool is_echo_key(std::string_view key) {
  return key == "instructions" || key == "tools" || key == "tool_choice" || key == "metadata" ||
         key == "text" || key == "truncation" || key == "reasoning" || key == "status" ||
         key == "previous_response_id" || key == "prompt_cache_key" || key == "conversation" ||
         key == "prompt_cache_retention" || key == "safety_identifier" || key == "user";
}

bool is_item_envelope(std::string_view key) {
  return key == "id" || key == "type" || key == "status" || key == "role" || key == "call_id" ||
         key == "name" || key == "object" || key == "encrypted_content";
}

}  // namespace

void ReplyReader::read_response(std::size_t response) {
  reply_.id = short_copy(tree_.string_at(response, "id"));
  reply_.model = short_copy(tree_.string_at(response, "model"));
  reply_.usage = read_usage(Api::kOpenAiResponses, tree_, tree_.find(response, "usage"));
  if (const std::size_t details = tree_.find(response, "incomplete_details"); details != kNone)
    reply_.finish_reason = short_copy(tree_.string_at(details, "reason"));
  if (reply_.finish_reason.empty())
    reply_.finish_reason = short_copy(tree_.string_at(response, "status"));
  const std::size_t error = tree_.find(response, "error");
  if (error != kNone && tree_[error].kind != JsonKind::kNull)
    reply_.error = read_error(tree_, error);
  tree_.each_member(response, [&](const JsonNode& key, std::size_t value) {
    if (key.text == "output") {
      tree_.each_element(value, [&](std::size_t item, std::size_t position) {
        read_output_item(item, static_cast<std::uint32_t>(position));
      });
    } else if (!is_envelope_key(key.text) && !is_echo_key(key.text) && key.text != "usage") {
      add_all(value, {ChannelKind::kOther, 0, 0});
    }
  });
}

// The channels are those of the stream's events: output_index and content_index.
void ReplyReader::read_output_item(std::size_t item, std::uint32_t index) {
  const std::string_view type = tree_.string_at(item, "type");
  if (type.ends_with("_call")) {
    const Channel channel{ChannelKind::kToolArguments, index, 0};
    std::size_t arguments = kNone;
    for (const std::string_view key : {"arguments", "input", "action", "code"})
      if (arguments == kNone) arguments = tree_.find(item, key);
    std::string_view name = tree_.string_at(item, "name");
    // Tools of the provider have no name but their type.
    if (name.empty()) name = type.substr(0, type.size() - 5);
    std::string_view id = tree_.string_at(item, "call_id");
    if (id.empty()) id = tree_.string_at(item, "id");
    add_call(id, name, arguments, channel);
    tree_.each_member(item, [&](const JsonNode& key, std::size_t value) {
      if (value != arguments && !is_item_envelope(key.text))
        add_all(value, {ChannelKind::kOther, index, 0});
    });
    return;
  }
  const bool is_reasoning = type == "reasoning";
  tree_.each_member(item, [&](const JsonNode& key, std::size_t value) {
    if (key.text != "content" && key.text != "summary") {
      if (!is_item_envelope(key.text)) add_all(value, {ChannelKind::kOther, index, 0});
      return;
    }
    tree_.each_element(value, [&](std::size_t part, std::size_t position) {
      const auto at = static_cast<std::uint32_t>(position);
      tree_.each_member(part, [&](const JsonNode& name, std::size_t text) {
        ChannelKind kind = ChannelKind::kOther;
        if (name.text == "text" || name.text == "transcript")
          kind = is_reasoning ? ChannelKind::kReasoning : ChannelKind::kText;
        if (name.text == "refusal") kind = ChannelKind::kRefusal;
        if (name.text == "logprobs" && tree_[text].kind != JsonKind::kNull) {
          reply_.logprobs.push_back(tree_[text].span());
        } else if (name.text != "type" && name.text != "audio") {
          add_all(text, {kind, index, at});
        }
      });
    });
  });
}

void ReplyReader::read_models(std::string_view list) {
  tree_.each_element(tree_.find(0, list), [&](std::size_t model, std::size_t) {
    std::string_view name = tree_.string_at(model, "id");
    if (name.empty()) name = tree_.string_at(model, "name");
    if (!name.empty() && reply_.models.size() < kMaxListedModels)
      reply_.models.push_back(short_copy(name));
  });
}

// Vectors, flags and counts: nothing here is text that a model wrote.
void ReplyReader::read_counts(Api api) {
  switch (api) {
    case Api::kAnthropicCountTokens:
    case Api::kOllamaEmbed:
      reply_.usage = read_usage(api, tree_, 0);
      break;
    case Api::kGeminiCountTokens:
      if (const auto total = tree_.number_at(0, "totalTokens")) reply_.usage = Usage{*total, 0};
      break;
    case Api::kGeminiEmbed:
      reply_.usage = read_usage(api, tree_, tree_.find(0, "usageMetadata"));
      break;
    default:
      reply_.usage = read_usage(api, tree_, tree_.find(0, "usage"));
  }
}

}  // namespace aispm::codec
