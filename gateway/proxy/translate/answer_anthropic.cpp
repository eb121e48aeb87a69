// SPDX-License-Identifier: Apache-2.0
// Anthropic's messages, as a client hears them.
#include "gateway/proxy/translate/conversation.hpp"
#include "gateway/proxy/translate/json_writer.hpp"
#include "gateway/proxy/translate/reply_forms.hpp"

namespace aispm::gateway::translate {
namespace {

std::string_view word_of(Reason reason) {
  switch (reason) {
    case Reason::kLength:
      return "max_tokens";
    case Reason::kTools:
      return "tool_use";
    case Reason::kFilter:
      return "refusal";
    case Reason::kStopSequence:
      return "stop_sequence";
    default:
      return "end_turn";
  }
}

// Cached tokens are counted beside the others.
void write_tokens(const Tokens& tokens, JsonWriter& to) {
  to.key("usage").begin_object();
  to.key("input_tokens").number(tokens.input - tokens.cached - tokens.cache_write);
  to.key("cache_creation_input_tokens").number(tokens.cache_write);
  to.key("cache_read_input_tokens").number(tokens.cached);
  to.key("output_tokens").number(tokens.output).end_object();
}

void write_head(const Answer& answer, const Names& names, JsonWriter& to) {
  to.member("id", answer.id.empty() ? "msg_" + names.id : answer.id);
  to.member("type", "message").member("role", "assistant");
  to.member("model", answer.model.empty() ? names.model : answer.model);
}

void write_stop(const Answer& answer, JsonWriter& to) {
  to.member("stop_reason", word_of(answer.reason));
  if (answer.reason == Reason::kStopSequence)
    to.member("stop_sequence", answer.stop_sequence);
  else
    to.raw_member("stop_sequence", "null");
}

bool is_thought(const Said& said) { return said.kind == TextKind::kReasoning; }

// A thought of another's model bears no signature, but one that stands for Gemini's of the call
// behind it.
void write_text_block(bool thought, std::string_view text, JsonWriter& to,
                      std::string_view signature = {}) {
  to.begin_object().member("type", thought ? "thinking" : "text");
  to.member(thought ? "thinking" : "text", text);
  if (thought) to.member("signature", signature);
  to.end_object();
}

class AnthropicWriter final : public StreamWriter {
 public:
  explicit AnthropicWriter(const Names& names) : names_(names) {}

  void begin(const Answer& answer, std::string& out) override {
    JsonWriter to;
    to.begin_object().member("type", "message_start").key("message").begin_object();
    write_head(answer, names_, to);
    to.raw_member("content", "[]").raw_member("stop_reason", "null");
    to.raw_member("stop_sequence", "null");
    Tokens so_far = answer.tokens.value_or(Tokens{});
    write_tokens(so_far, to);
    out += codec::serialise_sse("message_start", to.end_object().end_object().take());
  }

  void say(const Said& said, std::string& out) override {
    const bool thought = is_thought(said);
    if (is_open_ && thought != is_thought_) close(out);
    if (!is_open_) {
      JsonWriter block;
      write_text_block(thought, "", block);
      open(block.take(), out);
      is_thought_ = thought;
    }
    JsonWriter delta;
    delta.begin_object().member("type", thought ? "thinking_delta" : "text_delta");
    delta.member(thought ? "thinking" : "text", said.text).end_object();
    piece(delta.take(), out);
  }

  void end(const Answer& answer, std::string& out) override {
    close(out);
    for (const Call& call : answer.calls) {
      if (!call.signature.empty()) sign(call, out);
      JsonWriter block;
      block.begin_object().member("type", "tool_use").member("id", call.id);
      block.member("name", call.name).raw_member("input", "{}").end_object();
      open(block.take(), out);
      JsonWriter delta;
      delta.begin_object().member("type", "input_json_delta");
      delta.member("partial_json", call.arguments).end_object();
      piece(delta.take(), out);
      close(out);
    }
    JsonWriter to;
    to.begin_object().member("type", "message_delta").key("delta").begin_object();
    write_stop(answer, to);
    to.end_object();
    write_tokens(answer.tokens.value_or(Tokens{}), to);
    out += codec::serialise_sse("message_delta", to.end_object().take());
    out += codec::serialise_sse("message_stop", R"({"type":"message_stop"})");
  }

  void fail(const Failure& failure, std::string& out) override {
    out += codec::serialise_sse("error", write_failure(codec::Api::kAnthropicMessages, 0, failure));
  }

 private:
  void sign(const Call& call, std::string& out) {
    JsonWriter block;
    write_text_block(true, {}, block);
    open(block.take(), out);
    JsonWriter delta;
    delta.begin_object().member("type", "signature_delta");
    delta.member("signature", marked_signature(call.signature)).end_object();
    piece(delta.take(), out);
    close(out);
  }
  void event(std::string_view type, std::string_view key, std::string_view json, std::string& out) {
    JsonWriter to;
    to.begin_object().member("type", type).key("index").number(index_);
    if (!key.empty()) to.raw_member(key, json);
    out += codec::serialise_sse(type, to.end_object().take());
  }
  void open(std::string_view block, std::string& out) {
    event("content_block_start", "content_block", block, out);
    is_open_ = true;
  }
  void piece(std::string_view delta, std::string& out) {
    event("content_block_delta", "delta", delta, out);
  }
  void close(std::string& out) {
    if (!is_open_) return;
    event("content_block_stop", {}, {}, out);
    is_open_ = false;
    ++index_;
  }

  Names names_;
  std::uint64_t index_ = 0;
  bool is_open_ = false;
  bool is_thought_ = false;
};

}  // namespace

std::string write_anthropic_reply(const Answer& answer, const Names& names) {
  JsonWriter to;
  to.begin_object();
  write_head(answer, names, to);
  to.key("content").begin_array();
  // Thoughts come first there, wherever the provider has them.
  for (const bool thought : {true, false}) {
    std::string text;
    for (const Said& said : answer.said)
      if (is_thought(said) == thought) text += said.text;
    if (!text.empty()) write_text_block(thought, text, to);
  }
  for (const Call& call : answer.calls) {
    if (!call.signature.empty()) write_text_block(true, {}, to, marked_signature(call.signature));
    to.begin_object().member("type", "tool_use").member("id", call.id);
    to.member("name", call.name).raw_member("input", call.arguments).end_object();
  }
  to.end_array();
  write_stop(answer, to);
  write_tokens(answer.tokens.value_or(Tokens{}), to);
  return to.end_object().take();
}

std::unique_ptr<StreamWriter> make_anthropic_writer(const Names& names) {
  return std::make_unique<AnthropicWriter>(names);
}

}  // namespace aispm::gateway::translate
