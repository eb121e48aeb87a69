// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/pipeline/gemini_notice.hpp"

#include "sdk/core/common/time.hpp"

namespace aispm::gateway {
namespace {

using codec::json_string;

StreamCarrier carry(std::string before, std::string_view after) {
  const std::size_t begin = before.size();
  before.append("\"\"").append(after);
  return {.data = std::move(before), .span = {begin, begin + 2}};
}

// {"candidates":[CANDIDATE],...}
std::string candidate(const StreamPosition& position, const std::string& inner) {
  std::string document =
      R"({"candidates":[{)" + inner + R"(}],"modelVersion":)" + json_string(position.model);
  if (!position.id.empty()) document += R"(,"responseId":)" + json_string(position.id);
  return document + "}";
}

std::string said(std::string_view text) {
  return R"("content":{"parts":[{"text":)" + json_string(text) + R"(}],"role":"model"})";
}

}  // namespace

std::string gemini_piece(codec::Framing framing, bool& begun, std::string_view document) {
  if (framing != codec::Framing::kArray) return codec::serialise_sse("", document);
  std::string piece = begun ? ",\r\n" : "[";
  begun = true;
  return piece.append(document);
}

std::string replace_gemini(StreamPosition position, std::string_view notice) {
  std::vector<std::uint32_t> choices = position.open_choices;
  if (choices.empty()) choices.push_back(0);
  std::string out;
  for (const std::uint32_t choice : choices) {
    // Each says it: programs show one of them.
    out += gemini_piece(position.framing, position.begun,
                        candidate(position, said(notice) + R"(,"finishReason":"SAFETY","index":)" +
                                                std::to_string(choice)));
  }
  if (position.framing == codec::Framing::kArray) out += "]";
  return out;
}

std::string gemini_pulse(codec::Framing framing, const std::string& model) {
  if (framing == codec::Framing::kArray) return "\n";  // white space, wherever the array stands
  StreamPosition position;
  position.model = model;
  bool begun = true;
  return gemini_piece(framing, begun, candidate(position, said("") + R"(,"index":0)"));
}

StreamCarrier carry_gemini(const StreamPosition& position, const codec::Channel& channel) {
  const std::string thought =
      channel.kind == codec::ChannelKind::kReasoning ? R"("thought":true,)" : "";
  std::string after = R"(}],"role":"model"},"index":)" + std::to_string(channel.choice) +
                      R"(}],"modelVersion":)" + json_string(position.model);
  if (!position.id.empty()) after += R"(,"responseId":)" + json_string(position.id);
  return carry(R"({"candidates":[{"content":{"parts":[{)" + thought + R"("text":)", after + "}");
}

StreamCarrier carry_ollama(codec::Api api, const StreamPosition& position,
                           const codec::Channel& channel) {
  const bool is_chat = api == codec::Api::kOllamaChat;
  const bool is_thought = channel.kind == codec::ChannelKind::kReasoning;
  std::string before = R"({"model":)" + json_string(position.model) + R"(,"created_at":)" +
                       json_string(to_rfc3339({position.created * 1'000'000'000}));
  before += is_chat ? R"(,"message":{"role":"assistant",)" : ",";
  if (is_thought && is_chat) before += R"("content":"",)";
  before += is_thought ? R"("thinking":)" : (is_chat ? R"("content":)" : R"("response":)");
  return carry(std::move(before), is_chat ? R"(},"done":false})" : R"(,"done":false})");
}

}  // namespace aispm::gateway
