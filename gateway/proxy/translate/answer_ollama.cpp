// SPDX-License-Identifier: Apache-2.0
// Ollama's chat, as a client hears it.
#include "gateway/proxy/translate/json_writer.hpp"
#include "gateway/proxy/translate/reply_forms.hpp"

namespace aispm::gateway::translate {
namespace {

// Without a word for it, the one that others use: the field is free there.
std::string_view word_of(Reason reason) {
  if (reason == Reason::kLength) return "length";
  return reason == Reason::kFilter ? "content_filter" : "stop";
}

void write_head(const std::string& model, const Names& names, JsonWriter& to) {
  to.member("model", model.empty() ? names.model : model);
  to.member("created_at", to_rfc3339(names.now));
}

void write_calls(const Answer& answer, JsonWriter& to) {
  if (answer.calls.empty()) return;
  to.key("tool_calls").begin_array();
  for (const Call& call : answer.calls) {
    to.begin_object().member("id", call.id).key("function").begin_object();
    to.member("name", call.name).raw_member("arguments", call.arguments);
    to.end_object().end_object();
  }
  to.end_array();
}

void write_end(const Answer& answer, JsonWriter& to) {
  to.raw_member("done", "true").member("done_reason", word_of(answer.reason));
  if (!answer.tokens) return;
  to.key("prompt_eval_count").number(answer.tokens->input);
  to.key("eval_count").number(answer.tokens->output);
}

class OllamaWriter final : public StreamWriter {
 public:
  explicit OllamaWriter(const Names& names) : names_(names) {}

  void begin(const Answer& answer, std::string&) override { model_ = answer.model; }

  void say(const Said& said, std::string& out) override {
    JsonWriter to;
    to.begin_object();
    write_head(model_, names_, to);
    to.key("message").begin_object().member("role", "assistant");
    const bool thought = said.kind == TextKind::kReasoning;
    to.member("content", thought ? std::string_view{} : std::string_view(said.text));
    if (thought) to.member("thinking", said.text);
    to.end_object().raw_member("done", "false");
    out.append(to.end_object().take()).append("\n");
  }

  void end(const Answer& answer, std::string& out) override {
    if (!answer.calls.empty()) line(answer, false, out);
    line(answer, true, out);
  }

  void fail(const Failure& failure, std::string& out) override {
    out.append(write_failure(codec::Api::kOllamaChat, 0, failure)).append("\n");
  }

 private:
  void line(const Answer& answer, bool is_last, std::string& out) {
    JsonWriter to;
    to.begin_object();
    write_head(model_, names_, to);
    to.key("message").begin_object().member("role", "assistant").member("content", "");
    if (!is_last) write_calls(answer, to);
    to.end_object();
    if (is_last)
      write_end(answer, to);
    else
      to.raw_member("done", "false");
    out.append(to.end_object().take()).append("\n");
  }

  Names names_;
  std::string model_;
};

}  // namespace

std::string write_ollama_reply(const Answer& answer, const Names& names) {
  std::string text;
  std::string thought;
  for (const Said& said : answer.said)
    (said.kind == TextKind::kReasoning ? thought : text) += said.text;
  JsonWriter to;
  to.begin_object();
  write_head(answer.model, names, to);
  to.key("message").begin_object().member("role", "assistant").member("content", text);
  if (!thought.empty()) to.member("thinking", thought);
  write_calls(answer, to);
  to.end_object();
  write_end(answer, to);
  return to.end_object().take();
}

std::unique_ptr<StreamWriter> make_ollama_writer(const Names& names) {
  return std::make_unique<OllamaWriter>(names);
}

}  // namespace aispm::gateway::translate
