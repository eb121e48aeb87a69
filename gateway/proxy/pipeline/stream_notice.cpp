// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/pipeline/stream_notice.hpp"

namespace aispm::gateway {
namespace {

using codec::json_string;

std::string openai_chunk(const StreamPosition& position, std::uint32_t choice,
                         const std::string& delta, const std::string& finish_reason) {
  const std::string id = position.id.empty() ? "chatcmpl-aispm" : position.id;
  return codec::serialise_sse(
      "", R"({"id":)" + json_string(id) + R"(,"object":"chat.completion.chunk","created":)" +
              std::to_string(position.created) + R"(,"model":)" + json_string(position.model) +
              R"(,"choices":[{"index":)" + std::to_string(choice) + R"(,"delta":)" + delta +
              R"(,"finish_reason":)" + finish_reason + "}]}");
}

std::string replace_openai(const StreamPosition& position, std::string_view notice) {
  std::vector<std::uint32_t> choices = position.open_choices;
  if (choices.empty()) choices.push_back(0);
  std::string out =
      openai_chunk(position, choices.front(), R"({"content":)" + json_string(notice) + "}", "null");
  for (const std::uint32_t choice : choices)
    out += openai_chunk(position, choice, "{}", R"("content_filter")");
  return out + codec::serialise_sse("", "[DONE]");
}

std::string replace_anthropic(const StreamPosition& position, std::string_view notice) {
  const auto event = [](std::string_view type, const std::string& rest) {
    return codec::serialise_sse(type, R"({"type":")" + std::string(type) + "\"" + rest + "}");
  };
  std::string out;
  if (!position.started) {
    const std::string id = position.id.empty() ? "msg_aispm" : position.id;
    out += event("message_start", R"(,"message":{"id":)" + json_string(id) +
                                      R"(,"type":"message","role":"assistant","model":)" +
                                      json_string(position.model) +
                                      R"(,"content":[],"stop_reason":null,"stop_sequence":null,)"
                                      R"("usage":{"input_tokens":0,"output_tokens":0}})");
  }
  if (position.open_block)
    out += event("content_block_stop", R"(,"index":)" + std::to_string(*position.open_block));
  const std::string index = R"(,"index":)" + std::to_string(position.next_block);
  out += event("content_block_start", index + R"(,"content_block":{"type":"text","text":""})");
  out += event("content_block_delta",
               index + R"(,"delta":{"type":"text_delta","text":)" + json_string(notice) + "}");
  out += event("content_block_stop", index);
  out += event(
      "message_delta",
      R"(,"delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":)" +
          std::to_string(position.output_tokens) + "}");
  return out + event("message_stop", "");
}

}  // namespace

std::string replace_rest(Dialect dialect, const StreamPosition& position, std::string_view notice) {
  return dialect == Dialect::kOpenAi ? replace_openai(position, notice)
                                     : replace_anthropic(position, notice);
}

std::string stream_error(Dialect dialect, const Refusal& refusal) {
  return codec::serialise_sse(dialect == Dialect::kOpenAi ? "" : "error",
                              error_body(dialect, refusal));
}

}  // namespace aispm::gateway
