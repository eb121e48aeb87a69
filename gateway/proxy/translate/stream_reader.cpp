// SPDX-License-Identifier: Apache-2.0
// What the readers of all protocols share.
#include "gateway/proxy/translate/field_reader.hpp"
#include "gateway/proxy/translate/reply_forms.hpp"
#include "sdk/core/codec/llm.hpp"

namespace aispm::gateway::translate {

using codec::Api;
using codec::JsonTree;

Result<> StreamReader::read(const codec::SseEvent& event) {
  answer_.said.clear();
  if (ended_ || failure_ || !event.has_data) return {};
  if (event.data.starts_with("[DONE]")) {
    // Not JSON: OpenAI's end, wherever it comes from.
    ended_ = true;
    return {};
  }
  if (const auto mended = codec::mend_surrogates(event.data)) {
    codec::SseEvent whole = event;
    whole.data = *mended;
    return read(whole);
  }
  JsonTree tree;
  AISPM_CHECK(tree.read(event.data, codec::kMaxJsonDepth));
  failure_ = read_failure(tree);
  if (failure_) return {};
  return read_event(tree, event);
}

Result<> StreamReader::close() {
  if (answer_.reason == Reason::kOpen) return fail(Errc::kInvalid, "it ended without saying why");
  ended_ = true;
  return settle_calls(answer_);
}

bool StreamReader::keep(std::size_t bytes) {
  call_bytes_ += bytes;
  return call_bytes_ <= kMaxCallBytes && answer_.calls.size() <= kMaxCalls;
}

void StreamReader::say(TextKind kind, std::string_view text) {
  if (!text.empty()) answer_.said.push_back({kind, std::string(text)});
}

std::unique_ptr<StreamReader> make_stream_reader(Api provider) {
  switch (provider) {
    case Api::kAnthropicMessages:
      return make_anthropic_reader();
    case Api::kOllamaChat:
      return make_ollama_reader();
    case Api::kGeminiGenerate:
      return make_gemini_reader();
    default:
      return make_openai_reader();
  }
}

Result<Answer> read_reply(Api provider, std::string_view body) {
  if (provider == Api::kOllamaChat || provider == Api::kGeminiGenerate) {
    // A whole reply is its last piece.
    const auto reader = make_stream_reader(provider);
    codec::SseEvent piece;
    piece.data = body;
    piece.has_data = true;
    AISPM_CHECK(reader->read(piece));
    if (provider == Api::kOllamaChat && !reader->ended())
      return fail(Errc::kInvalid, "it is not done");
    AISPM_CHECK(reader->close());
    return reader->answer();
  }
  JsonTree tree;
  AISPM_CHECK(tree.read(body, codec::kMaxJsonDepth));
  AISPM_TRY(Answer answer, provider == Api::kAnthropicMessages ? read_anthropic_reply(tree, body)
                                                               : read_openai_reply(tree));
  AISPM_CHECK(settle_calls(answer));
  return answer;
}

Result<> settle_calls(Answer& answer) {
  std::vector<Call> whole;
  for (Call& call : answer.calls) {
    if (call.arguments.empty() && answer.reason != Reason::kLength) call.arguments = "{}";
    if (is_object(call.arguments) && !call.name.empty()) {
      if (call.id.empty()) call.id = "call_" + std::to_string(whole.size() + 1);
      whole.push_back(std::move(call));
    } else if (answer.reason != Reason::kLength) {
      return fail(Errc::kInvalid,
                  "a tool call without a name, or with arguments that are no object");
    }
  }
  answer.calls = std::move(whole);
  if (!answer.calls.empty() && answer.reason == Reason::kStop) answer.reason = Reason::kTools;
  return {};
}

const Tool* Names::find(std::string_view sent_name) const {
  for (const Tool& tool : tools)
    if (tool.name == sent_name) return &tool;
  return nullptr;
}

std::string write_reply(Api client, const Answer& answer, const Names& names) {
  switch (client) {
    case Api::kAnthropicMessages:
      return write_anthropic_reply(answer, names);
    case Api::kOllamaChat:
      return write_ollama_reply(answer, names);
    case Api::kOpenAiResponses:
      return write_responses_reply(answer, names);
    case Api::kGeminiGenerate:
      return write_gemini_reply(answer, names);
    default:
      return write_openai_reply(answer, names);
  }
}

std::unique_ptr<StreamWriter> make_stream_writer(Api client, const Names& names) {
  switch (client) {
    case Api::kAnthropicMessages:
      return make_anthropic_writer(names);
    case Api::kOllamaChat:
      return make_ollama_writer(names);
    case Api::kOpenAiResponses:
      return make_responses_writer(names);
    case Api::kGeminiGenerate:
      return make_gemini_writer(names);
    default:
      return make_openai_writer(names);
  }
}

}  // namespace aispm::gateway::translate
