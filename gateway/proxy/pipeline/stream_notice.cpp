// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/pipeline/stream_notice.hpp"

#include "gateway/proxy/pipeline/gemini_notice.hpp"
#include "sdk/core/common/time.hpp"

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

std::string completion_chunk(const StreamPosition& position, std::uint32_t choice,
                             std::string_view text, const std::string& finish_reason) {
  const std::string id = position.id.empty() ? "cmpl-aispm" : position.id;
  return codec::serialise_sse(
      "", R"({"id":)" + json_string(id) + R"(,"object":"text_completion","created":)" +
              std::to_string(position.created) + R"(,"model":)" + json_string(position.model) +
              R"(,"choices":[{"text":)" + json_string(text) + R"(,"index":)" +
              std::to_string(choice) + R"(,"logprobs":null,"finish_reason":)" + finish_reason +
              "}]}");
}

std::string replace_completion(const StreamPosition& position, std::string_view notice) {
  std::vector<std::uint32_t> choices = position.open_choices;
  if (choices.empty()) choices.push_back(0);
  std::string out = completion_chunk(position, choices.front(), notice, "null");
  for (const std::uint32_t choice : choices)
    out += completion_chunk(position, choice, "", R"("content_filter")");
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

std::string replace_ollama(codec::Api api, const StreamPosition& position,
                           std::string_view notice) {
  const auto line = [&](std::string_view text, const std::string& rest) {
    const bool is_chat = api == codec::Api::kOllamaChat;
    return R"({"model":)" + json_string(position.model) + R"(,"created_at":)" +
           json_string(to_rfc3339({position.created * 1'000'000'000})) +
           (is_chat ? R"(,"message":{"role":"assistant","content":)" : R"(,"response":)") +
           json_string(text) + (is_chat ? "}" : "") + rest + "}\n";
  };
  return line(notice, R"(,"done":false)") +
         line("", R"(,"done":true,"done_reason":"stop","eval_count":)" +
                      std::to_string(position.output_tokens));
}

}  // namespace

std::string replace_rest(codec::Api api, const StreamPosition& position, std::string_view notice) {
  switch (dialect_of(api)) {
    case Dialect::kAnthropic:
      return replace_anthropic(position, notice);
    case Dialect::kOllama:
      return replace_ollama(api, position, notice);
    case Dialect::kGemini:
      return replace_gemini(position, notice);
    case Dialect::kOpenAi:
      break;
  }
  if (api == codec::Api::kOpenAiCompletions) return replace_completion(position, notice);
  if (api != codec::Api::kOpenAiResponses) return replace_openai(position, notice);
  return replace_responses(position.responses, {.id = position.id,
                                                .model = position.model,
                                                .created = position.created,
                                                .shown = position.shown,
                                                .notice = notice,
                                                .as_complete = position.ends_complete});
}

std::string stream_error(codec::Api api, const StreamPosition& position, const Refusal& refusal) {
  const Dialect dialect = dialect_of(api);
  std::string body = error_body(dialect, refusal);
  if (dialect == Dialect::kOllama) return body + "\n";
  if (dialect == Dialect::kGemini) {
    bool begun = position.begun;
    const bool is_array = position.framing == codec::Framing::kArray;
    return gemini_piece(position.framing, begun, body) + (is_array ? "]" : "");
  }
  if (dialect == Dialect::kAnthropic) return codec::serialise_sse("error", body);
  if (api != codec::Api::kOpenAiResponses) return codec::serialise_sse("", body);
  // As an event of the API, and with the `error` that makes clients raise.
  return codec::serialise_sse("error", R"({"type":"error","sequence_number":)" +
                                           std::to_string(position.responses.next_sequence) +
                                           R"(,"code":)" + json_string(code_of(refusal)) +
                                           R"(,"message":)" + json_string(refusal.message) +
                                           R"(,"param":null,)" + body.substr(1));
}

}  // namespace aispm::gateway
