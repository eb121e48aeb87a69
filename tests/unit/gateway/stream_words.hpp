// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "sdk/core/codec/json_edit.hpp"
#include "sdk/core/codec/sse.hpp"

// Events of streamed replies, as providers send them.
namespace aispm::gateway {

inline std::string openai(const std::string& delta, const std::string& finish = "null") {
  return codec::serialise_sse(
      "",
      R"({"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":)" +
          delta + R"(,"finish_reason":)" + finish + "}]}");
}
inline std::string openai_text(const std::string& text) {
  return openai(R"({"content":)" + codec::json_string(text) + "}");
}

inline std::string anthropic(const std::string& type, const std::string& rest) {
  return codec::serialise_sse(type, R"({"type":")" + type + "\"" + rest + "}");
}
inline std::string anthropic_delta(int index, const std::string& delta) {
  return anthropic("content_block_delta",
                   R"(,"index":)" + std::to_string(index) + R"(,"delta":)" + delta);
}
inline std::string anthropic_text(const std::string& text) {
  return anthropic_delta(0, R"({"type":"text_delta","text":)" + codec::json_string(text) + "}");
}
inline const std::string kAnthropicStart = anthropic(
    "message_start",
    R"(,"message":{"id":"m1","type":"message","role":"assistant","model":"m","content":[],)"
    R"("stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":1}})");
inline const std::string kAnthropicEnd =
    anthropic(
        "message_delta",
        R"(,"delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":7})") +
    anthropic("message_stop", "");
inline const std::string kTextBlock =
    anthropic("content_block_start", R"(,"index":0,"content_block":{"type":"text","text":""})");
inline const std::string kStop0 = anthropic("content_block_stop", R"(,"index":0)");

}  // namespace aispm::gateway
