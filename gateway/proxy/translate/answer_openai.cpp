// SPDX-License-Identifier: Apache-2.0
// OpenAI's chat completions, as a client hears them.
#include "gateway/proxy/translate/json_writer.hpp"
#include "gateway/proxy/translate/reply_forms.hpp"

namespace aispm::gateway::translate {
namespace {

constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;

std::string_view word_of(Reason reason) {
  switch (reason) {
    case Reason::kLength:
      return "length";
    case Reason::kTools:
      return "tool_calls";
    case Reason::kFilter:
      return "content_filter";
    default:
      return "stop";
  }
}

// Reasoning has no word of OpenAI's own; this is the one that compatible servers share.
std::string_view member_of(TextKind kind) {
  switch (kind) {
    case TextKind::kReasoning:
      return "reasoning_content";
    case TextKind::kRefusal:
      return "refusal";
    case TextKind::kText:
      break;
  }
  return "content";
}

void write_head(std::string_view object, const Answer& answer, const Names& names, JsonWriter& to) {
  to.member("id", answer.id.empty() ? "chatcmpl-" + names.id : answer.id).member("object", object);
  to.raw_member("created", std::to_string(names.now.nanoseconds / kNanosecondsPerSecond));
  to.member("model", answer.model.empty() ? names.model : answer.model);
}

void write_tokens(const Tokens& tokens, JsonWriter& to) {
  to.key("usage").begin_object();
  to.key("prompt_tokens").number(tokens.input);
  to.key("completion_tokens").number(tokens.output);
  to.key("total_tokens").number(tokens.input + tokens.output);
  to.key("prompt_tokens_details").begin_object();
  to.key("cached_tokens").number(tokens.cached).end_object();
  if (tokens.reasoning > 0) {
    to.key("completion_tokens_details").begin_object();
    to.key("reasoning_tokens").number(tokens.reasoning).end_object();
  }
  to.end_object();
}

void write_call(const Call& call, JsonWriter& to) {
  to.member("id", call.id).member("type", "function").key("function").begin_object();
  to.member("name", call.name).member("arguments", call.arguments).end_object();
  // As Google's own OpenAI-compatible endpoint has it.
  if (call.signature.empty()) return;
  to.key("extra_content").begin_object().key("google").begin_object();
  to.member("thought_signature", call.signature).end_object().end_object();
}

std::string joined(const Answer& answer, TextKind kind) {
  std::string text;
  for (const Said& said : answer.said)
    if (said.kind == kind) text += said.text;
  return text;
}

void write_message(const Answer& answer, JsonWriter& to) {
  to.key("message").begin_object().member("role", "assistant");
  const std::string text = joined(answer, TextKind::kText);
  if (text.empty() && !answer.calls.empty())
    to.raw_member("content", "null");
  else
    to.member("content", text);
  for (const TextKind kind : {TextKind::kRefusal, TextKind::kReasoning})
    if (const std::string more = joined(answer, kind); !more.empty())
      to.member(member_of(kind), more);
  if (!answer.calls.empty()) {
    to.key("tool_calls").begin_array();
    for (const Call& call : answer.calls) {
      to.begin_object();
      write_call(call, to);
      to.end_object();
    }
    to.end_array();
  }
  to.end_object();
}

class OpenAiWriter final : public StreamWriter {
 public:
  explicit OpenAiWriter(const Names& names) : names_(names) {}

  void begin(const Answer& answer, std::string& out) override {
    head_.id = answer.id;
    head_.model = answer.model;
    chunk(R"({"role":"assistant","content":""})", "null", out);
  }

  void say(const Said& said, std::string& out) override {
    JsonWriter delta;
    delta.begin_object().member(member_of(said.kind), said.text).end_object();
    chunk(delta.take(), "null", out);
  }

  void end(const Answer& answer, std::string& out) override {
    for (std::size_t i = 0; i < answer.calls.size(); ++i) {
      JsonWriter delta;
      delta.begin_object().key("tool_calls").begin_array().begin_object().key("index").number(i);
      write_call(answer.calls[i], delta);
      delta.end_object().end_array().end_object();
      chunk(delta.take(), "null", out);
    }
    chunk("{}", codec::json_string(word_of(answer.reason)), out);
    if (answer.tokens) {
      JsonWriter to;
      to.begin_object();
      write_head("chat.completion.chunk", head_, names_, to);
      to.raw_member("choices", "[]");
      write_tokens(*answer.tokens, to);
      out += codec::serialise_sse("", to.end_object().take());
    }
    out += codec::serialise_sse("", "[DONE]");
  }

  void fail(const Failure& failure, std::string& out) override {
    out += codec::serialise_sse("", write_failure(codec::Api::kOpenAiChat, 0, failure));
  }

 private:
  void chunk(std::string_view delta, std::string_view reason, std::string& out) {
    JsonWriter to;
    to.begin_object();
    write_head("chat.completion.chunk", head_, names_, to);
    to.key("choices").begin_array().begin_object().key("index").number(0);
    to.raw_member("delta", delta).raw_member("logprobs", "null");
    to.raw_member("finish_reason", reason).end_object().end_array();
    out += codec::serialise_sse("", to.end_object().take());
  }

  Names names_;
  Answer head_;  // id and model only
};

}  // namespace

std::string write_openai_reply(const Answer& answer, const Names& names) {
  JsonWriter to;
  to.begin_object();
  write_head("chat.completion", answer, names, to);
  to.key("choices").begin_array().begin_object().key("index").number(0);
  write_message(answer, to);
  to.raw_member("logprobs", "null").member("finish_reason", word_of(answer.reason));
  to.end_object().end_array();
  if (answer.tokens) write_tokens(*answer.tokens, to);
  return to.end_object().take();
}

std::unique_ptr<StreamWriter> make_openai_writer(const Names& names) {
  return std::make_unique<OpenAiWriter>(names);
}

}  // namespace aispm::gateway::translate
