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

std::string_view name_of(Api api) {
  return api == Api::kOpenAiChat ? "openai.chat" : "anthropic.messages";
}

std::string_view name_of(Surface surface) {
  static constexpr std::array<std::string_view, 8> kNames = {
      "system",         "prompt",           "assistant", "tool_result",
      "tool_arguments", "tool_description", "other",     "media"};
  return kNames.at(static_cast<std::size_t>(surface));
}

std::string_view name_of(ChannelKind kind) {
  static constexpr std::array<std::string_view, 5> kNames = {"text", "refusal", "reasoning",
                                                             "tool_arguments", "other"};
  return kNames.at(static_cast<std::size_t>(kind));
}

std::optional<Api> find_api(std::string_view method, std::string_view target) {
  if (method != "POST") return std::nullopt;
  std::string_view path = target.substr(0, target.find_first_of("?#"));
  if (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  if (path.ends_with("/chat/completions")) return Api::kOpenAiChat;
  if (path.ends_with("/v1/messages")) return Api::kAnthropicMessages;
  return std::nullopt;
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
  const std::size_t code = tree.find(error, "code");
  if (code != JsonTree::kNone && tree[code].kind != JsonKind::kNull)
    result.code = short_copy(tree[code].text);
  return result;
}

std::optional<Usage> read_usage(Api api, const JsonTree& tree, std::size_t usage) {
  if (usage == JsonTree::kNone || tree[usage].kind != JsonKind::kObject) return std::nullopt;
  const auto count = [&](std::string_view key) { return tree.number_at(usage, key); };
  const bool is_openai = api == Api::kOpenAiChat;
  const auto input = count(is_openai ? "prompt_tokens" : "input_tokens");
  const auto output = count(is_openai ? "completion_tokens" : "output_tokens");
  if (!input && !output) return std::nullopt;
  Usage result{input.value_or(0), output.value_or(0)};
  if (!is_openai) {
    // Anthropic counts cached tokens beside input_tokens, OpenAI within prompt_tokens.
    result.input_tokens += count("cache_creation_input_tokens").value_or(0);
    result.input_tokens += count("cache_read_input_tokens").value_or(0);
  }
  return result;
}

}  // namespace aispm::codec
