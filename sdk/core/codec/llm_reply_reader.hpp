// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sdk/core/codec/llm_internal.hpp"

// Private to llm_reply*.cpp and llm_stream*.cpp.
namespace aispm::codec {

// Members of a reply that are the protocol's own and carry no text.
bool is_envelope_key(std::string_view key);

// Takes one reply apart: a whole body, or one piece of a streamed one where pieces have the shape
// of whole bodies (Gemini, Ollama, llama.cpp, completions). Fills `reply`.
class ReplyReader {
 public:
  ReplyReader(const JsonTree& tree, std::string_view body, LlmReply& reply)
      : tree_(tree), body_(body), reply_(reply) {}

  Result<> read(Api api);

  // llm_reply_openai.cpp: the object that "response.completed" holds too.
  void read_response(std::size_t response);
  void read_output_item(std::size_t item, std::uint32_t index);

 private:
  Result<> read_dialect(Api api);
  bool read_failure(Api api);
  Result<> read_chat(Api api);
  Result<> read_messages();
  void read_choice(std::size_t choice, std::uint32_t position);
  void read_message(std::size_t message, std::uint32_t choice);
  // `call` holds the id (kNone for the old function_call form), `function` name and arguments.
  void read_call(std::size_t call, std::size_t function, std::uint32_t choice, std::uint32_t index);
  void read_block(std::size_t block, std::uint32_t index);
  void read_tool_use(std::size_t block, std::uint32_t index);

  // llm_reply_openai.cpp
  void read_models(std::string_view list);
  void read_counts(Api api);  // embeddings, moderations, token counts
  // llm_reply_vendors.cpp
  void read_gemini(std::size_t object);
  void read_candidate(std::size_t candidate, std::uint32_t position);
  void read_gemini_content(std::size_t content, std::uint32_t choice);
  void read_gemini_part(std::size_t part, std::uint32_t choice);
  void read_bedrock(std::size_t message);
  void read_bedrock_block(std::size_t block, std::uint32_t index);
  Result<> read_invoked();
  void read_plain(Api api);  // Ollama, llama.cpp
  void add_call(std::string_view id, std::string_view name, std::size_t arguments, Channel channel);

  // A string, or an array of blocks as some compatible servers send.
  void add_text(std::size_t value, Channel channel);
  void add_all(std::size_t value, Channel channel);
  void add(const JsonNode& node, Channel channel);
  // Strings as they are, anything else as its JSON text.
  std::string_view text_of(std::size_t value) const;
  std::string_view enumerated(std::size_t value) const;

  const JsonTree& tree_;
  std::string_view body_;
  LlmReply& reply_;
};

}  // namespace aispm::codec
