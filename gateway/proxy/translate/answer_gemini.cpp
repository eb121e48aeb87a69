// SPDX-License-Identifier: Apache-2.0
// Gemini's generateContent, as a client hears it.
#include <algorithm>

#include "gateway/proxy/translate/json_writer.hpp"
#include "gateway/proxy/translate/reply_forms.hpp"
#include "sdk/core/codec/sse.hpp"

namespace aispm::gateway::translate {
namespace {

std::string_view word_of(Reason reason) {
  switch (reason) {
    case Reason::kLength:
      return "MAX_TOKENS";
    case Reason::kFilter:
      return "SAFETY";
    default:
      return "STOP";
  }
}

void write_text(const Said& said, JsonWriter& to) {
  to.begin_object().member("text", said.text);
  if (said.kind == TextKind::kReasoning) to.raw_member("thought", "true");
  to.end_object();
}

void write_call(const Call& call, JsonWriter& to) {
  to.begin_object().key("functionCall").begin_object();
  to.member("id", call.id).member("name", call.name).raw_member("args", call.arguments);
  to.end_object().end_object();
}

void write_tokens(const Tokens& tokens, JsonWriter& to) {
  to.key("usageMetadata").begin_object().key("promptTokenCount").number(tokens.input);
  to.key("candidatesTokenCount").number(tokens.output - std::min(tokens.reasoning, tokens.output));
  if (tokens.reasoning > 0) to.key("thoughtsTokenCount").number(tokens.reasoning);
  if (tokens.cached > 0) to.key("cachedContentTokenCount").number(tokens.cached);
  to.key("totalTokenCount").number(tokens.input + tokens.output).end_object();
}

// One document of the API with these parts; `is_last`: with the end and the usage.
std::string write_document(const std::vector<Said>& said, const Answer& answer, bool is_last,
                           const Names& names) {
  JsonWriter to;
  to.begin_object().key("candidates").begin_array().begin_object();
  to.key("content").begin_object().key("parts").begin_array();
  for (const Said& one : said) write_text(one, to);
  if (is_last)
    for (const Call& call : answer.calls) write_call(call, to);
  to.end_array().member("role", "model").end_object();
  if (is_last) to.member("finishReason", word_of(answer.reason));
  to.key("index").number(0).end_object().end_array();
  if (is_last && answer.tokens) write_tokens(*answer.tokens, to);
  to.member("modelVersion", answer.model.empty() ? names.model : answer.model);
  to.member("responseId", answer.id.empty() ? names.id : answer.id);
  return to.end_object().take();
}

class GeminiWriter final : public StreamWriter {
 public:
  explicit GeminiWriter(const Names& names) : names_(names) {}

  void begin(const Answer& answer, std::string&) override {
    head_.id = answer.id;
    head_.model = answer.model;
  }
  void say(const Said& said, std::string& out) override {
    send(write_document({said}, head_, false, names_), out);
  }
  void end(const Answer& answer, std::string& out) override {
    Answer last = answer;
    last.id = head_.id;
    last.model = head_.model;
    send(write_document({}, last, true, names_), out);
    if (names_.as_array) out += "]";
  }
  void fail(const Failure& failure, std::string& out) override {
    send(write_failure(codec::Api::kGeminiGenerate, 0, failure), out);
    if (names_.as_array) out += "]";
  }

 private:
  void send(std::string_view document, std::string& out) {
    if (!names_.as_array) {
      out += codec::serialise_sse("", document);
      return;
    }
    out.append(std::exchange(has_begun_, true) ? ",\r\n" : "[").append(document);
  }
  const Names names_;
  Answer head_;
  bool has_begun_ = false;
};

}  // namespace

std::string write_gemini_reply(const Answer& answer, const Names& names) {
  return write_document(answer.said, answer, true, names);
}

std::unique_ptr<StreamWriter> make_gemini_writer(const Names& names) {
  return std::make_unique<GeminiWriter>(names);
}

}  // namespace aispm::gateway::translate
