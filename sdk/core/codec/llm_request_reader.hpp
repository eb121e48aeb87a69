// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sdk/core/codec/llm_internal.hpp"

// Private to llm_request*.cpp.
namespace aispm::codec {

// Takes one request apart. The tree is complete, so the order of members does not matter. Whatever
// a dialect does not know is added as kOther: no string of a body goes unseen.
class RequestReader {
 public:
  RequestReader(const JsonTree& tree, LlmRequest& request) : tree_(tree), request_(request) {}

  Result<> read();

 private:
  // OpenAI chat and Anthropic messages.
  void read_member(const JsonNode& key, std::size_t value);
  // Members that most dialects share; false for any other.
  bool read_common(std::string_view name, std::size_t value);
  void read_other(const JsonNode& key, std::size_t value);

  // llm_request_openai.cpp
  void read_responses(std::size_t object);
  void note_history(std::string_view name, std::size_t value);
  void read_input(std::size_t input);
  void read_item(std::size_t item);
  void read_prompts(std::size_t object);  // completions, embeddings, moderations, Ollama, llama.cpp
  void read_prompt_value(std::size_t value);
  void read_realtime();
  // llm_request_vendors.cpp
  void read_gemini(std::size_t object);
  void read_gemini_content(std::size_t content, Surface fallback);
  void read_gemini_part(std::size_t part, Surface surface);
  void note_gemini_file(std::string_view name, std::size_t part);
  void read_gemini_tools(std::size_t tools);
  void read_bedrock();
  void read_bedrock_tools(std::size_t config);
  void read_ollama();

  void read_model(std::size_t value);
  void read_flag(std::size_t value, bool& flag, std::string_view what);
  void read_stream_options(std::size_t value);
  void read_max_tokens(std::size_t object, std::string_view key);
  void read_tools(std::size_t tools);
  void read_messages(std::size_t messages);
  void read_message(std::size_t message);
  void read_calls(std::size_t calls);
  // A string, an array of blocks, or null.
  void read_content(std::size_t content, Surface surface);
  void read_block(std::size_t block, Surface surface);
  // Files that were given to the provider before, by anybody.
  void note_kept_file(std::size_t block);
  void note_provider_tool(std::size_t tool);
  void add_tool(std::string_view name) { request_.tools_offered.push_back(short_copy(name)); }
  void add_all(std::size_t value, Surface surface);
  void add(const JsonNode& node, Surface surface, bool is_message);
  void reject(std::size_t node, std::string_view what);
  // The tool that a call with this id asked for; calls stand before their results.
  std::string_view tool_called(std::string_view id) const;
  void note_call(std::string_view id, std::string_view name);

  const JsonTree& tree_;
  LlmRequest& request_;
  bool has_content_ = false;  // what makes the body a request of its API was seen
  std::string error_;
  std::vector<std::pair<std::string_view, std::string_view>> calls_;  // id, name of the tool
  std::string_view tool_;   // whose result or arguments are being read
  bool is_sealed_ = false;  // a signed block is being read
};

bool is_id_key(std::string_view key);
// nullopt for a role that is no dialect's.
std::optional<Surface> surface_of_role(std::string_view role);

}  // namespace aispm::codec
