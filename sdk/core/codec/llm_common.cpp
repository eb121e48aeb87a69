// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "sdk/core/codec/llm_internal.hpp"

namespace aispm::codec {
namespace {

// Longer "types" are no type names, whatever their letters.
constexpr std::size_t kMaxTypeWordBytes = 48;

// Shorter strings are text even when their letters could be base64.
constexpr std::size_t kMinMediaBytes = 256;

bool is_type_word(std::string_view text) {
  return text.size() <= kMaxTypeWordBytes && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
                  c == '-';
         });
}

}  // namespace

std::string_view name_of(Surface surface) {
  static constexpr std::array<std::string_view, 9> kNames = {
      "system",           "prompt", "assistant", "tool_result", "tool_arguments",
      "tool_description", "other",  "media",     "document"};
  return kNames.at(static_cast<std::size_t>(surface));
}

std::string_view name_of(ChannelKind kind) {
  static constexpr std::array<std::string_view, 5> kNames = {"text", "refusal", "reasoning",
                                                             "tool_arguments", "other"};
  return kNames.at(static_cast<std::size_t>(kind));
}

bool is_protocol_word(std::string_view key, std::string_view value) {
  return (key == "type" || key == "role") && is_type_word(value);
}

bool is_media(std::string_view text) {
  if (text.size() < kMinMediaBytes) return false;
  if (text.starts_with("data:")) {
    const std::size_t comma = text.find(',');
    if (comma == std::string_view::npos || !text.substr(0, comma).ends_with(";base64"))
      return false;
    text.remove_prefix(comma + 1);
  }
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' ||
           c == '/' || c == '-' || c == '_' || c == '=';
  });
}

LlmError read_error(const JsonTree& tree, std::size_t error) {
  LlmError result;
  if (tree[error].is_string()) {
    result.message = short_copy(tree[error].text);
    return result;
  }
  result.type = short_copy(tree.string_at(error, "type"));
  result.message = short_copy(tree.string_at(error, "message"));
  if (result.message.empty()) result.message = short_copy(tree.string_at(error, "Message"));
  if (result.type.empty()) result.type = short_copy(tree.string_at(error, "status"));
  if (result.type.empty()) result.type = short_copy(tree.string_at(error, "__type"));
  const std::size_t code = tree.find(error, "code");
  if (code != JsonTree::kNone && tree[code].kind != JsonKind::kNull)
    result.code = short_copy(tree[code].text);
  return result;
}

namespace {

// What a dialect calls its two counts.
struct UsageKeys {
  std::string_view input;
  std::string_view output;
};

UsageKeys usage_keys(Api api) {
  switch (api) {
    case Api::kOpenAiChat:
    case Api::kOpenAiCompletions:
    case Api::kOpenAiEmbeddings:
    case Api::kOpenAiModerations:
      return {"prompt_tokens", "completion_tokens"};
    case Api::kGeminiGenerate:
    case Api::kGeminiEmbed:
      return {"promptTokenCount", "candidatesTokenCount"};
    case Api::kBedrockConverse:
      return {"inputTokens", "outputTokens"};
    case Api::kBedrockInvoke:
      return {"prompt_token_count", "generation_token_count"};
    case Api::kOllamaChat:
    case Api::kOllamaGenerate:
    case Api::kOllamaEmbed:
      return {"prompt_eval_count", "eval_count"};
    case Api::kLlamaCppCompletion:
      return {"tokens_evaluated", "tokens_predicted"};
    default:
      return {"input_tokens", "output_tokens"};
  }
}

}  // namespace

std::optional<Usage> read_usage(Api api, const JsonTree& tree, std::size_t usage) {
  if (usage == JsonTree::kNone || tree[usage].kind != JsonKind::kObject) return std::nullopt;
  const auto count = [&](std::string_view key) { return tree.number_at(usage, key); };
  const UsageKeys keys = usage_keys(api);
  const auto input = count(keys.input);
  const auto output = count(keys.output);
  if (!input && !output) return std::nullopt;
  Usage result{.input_tokens = input.value_or(0), .output_tokens = output.value_or(0)};
  const auto add_cached = [&](std::string_view read, std::string_view written) {
    result.cached_tokens = count(read).value_or(0);
    result.cache_written_tokens = count(written).value_or(0);
    result.input_tokens += result.cached_tokens + result.cache_written_tokens;
  };
  if (api == Api::kAnthropicMessages) {
    // Anthropic counts cached tokens beside input_tokens, OpenAI within prompt_tokens.
    add_cached("cache_read_input_tokens", "cache_creation_input_tokens");
  } else if (api == Api::kBedrockConverse) {
    add_cached("cacheReadInputTokens", "cacheWriteInputTokens");
  } else if (api == Api::kOpenAiChat || api == Api::kOpenAiResponses) {
    const std::size_t details = tree.find(
        usage, api == Api::kOpenAiChat ? "prompt_tokens_details" : "input_tokens_details");
    if (details != JsonTree::kNone && tree[details].kind == JsonKind::kObject)
      result.cached_tokens =
          std::min(tree.number_at(details, "cached_tokens").value_or(0), result.input_tokens);
  } else if (api == Api::kGeminiGenerate) {
    result.cached_tokens =
        std::min(count("cachedContentTokenCount").value_or(0), result.input_tokens);
    // Thoughts are written, results of the provider's own tools are read.
    result.output_tokens += count("thoughtsTokenCount").value_or(0);
    result.input_tokens += count("toolUsePromptTokenCount").value_or(0);
  }
  return result;
}

}  // namespace aispm::codec
