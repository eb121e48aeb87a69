// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/proxy/translate/conversation.hpp"
#include "sdk/core/codec/llm_api.hpp"
#include "sdk/core/common/result.hpp"

// Requests of each protocol into a Conversation and out of it. Errors are kInvalid and read
// "FIELD: why", with the field's name in the client's protocol. Thread-safe.
namespace aispm::gateway::translate {

// What of a request the provider decides, not the client.
struct Target {
  codec::Api api = codec::Api::kOpenAiChat;
  std::string model;                // as the provider calls it
  std::uint64_t max_tokens = 4096;  // where its protocol demands a number and the client gave none
  bool is_openai_itself = false;    // newer words than what compatible servers know
  bool streams = false;             // where the client's body does not say (Gemini)
  bool is_bedrock = false;          // its binary events are read as Anthropic's own before
};

Result<Conversation> read_openai(std::string_view body);
Result<Conversation> read_anthropic(std::string_view body);
Result<Conversation> read_ollama(std::string_view body);
Result<Conversation> read_responses(std::string_view body);
Result<Conversation> read_gemini(std::string_view body);

Result<std::string> write_openai(const Conversation& from, const Target& target);
Result<std::string> write_anthropic(const Conversation& from, const Target& target);
Result<std::string> write_ollama(const Conversation& from, const Target& target);
Result<std::string> write_gemini(const Conversation& from, const Target& target);

}  // namespace aispm::gateway::translate
