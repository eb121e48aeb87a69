// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "sdk/core/codec/llm_api.hpp"

namespace aispm::gateway {

// Whose protocol a client or provider speaks: errors, credentials and headers are the same in all
// APIs of one.
enum class Dialect : std::uint8_t { kOpenAi, kAnthropic, kOllama, kGemini };

constexpr std::string_view name_of(Dialect dialect) {
  switch (dialect) {
    case Dialect::kAnthropic:
      return "anthropic";
    case Dialect::kOllama:
      return "ollama";
    case Dialect::kGemini:
      return "gemini";
    case Dialect::kOpenAi:
      break;
  }
  return "openai";
}

constexpr Dialect dialect_of(codec::Api api) {
  switch (api) {
    case codec::Api::kAnthropicMessages:
    case codec::Api::kAnthropicCountTokens:
      return Dialect::kAnthropic;
    case codec::Api::kOllamaChat:
    case codec::Api::kOllamaGenerate:
    case codec::Api::kOllamaEmbed:
    case codec::Api::kOllamaTags:
      return Dialect::kOllama;
    case codec::Api::kGeminiGenerate:
    case codec::Api::kGeminiEmbed:
    case codec::Api::kGeminiCountTokens:
      return Dialect::kGemini;
    default:
      return Dialect::kOpenAi;
  }
}

// Replies that a model writes, and so may stream.
constexpr bool is_written(codec::Api api) {
  return api != codec::Api::kOpenAiEmbeddings && api != codec::Api::kOpenAiModerations &&
         api != codec::Api::kAnthropicCountTokens && api != codec::Api::kGeminiEmbed &&
         api != codec::Api::kGeminiCountTokens && api != codec::Api::kOllamaEmbed;
}

}  // namespace aispm::gateway
