// SPDX-License-Identifier: Apache-2.0
// OpenAI's Responses, as a client hears them.
#include "gateway/proxy/translate/json_writer.hpp"
#include "gateway/proxy/translate/reply_forms.hpp"
#include "sdk/core/codec/sse.hpp"

namespace aispm::gateway::translate {
namespace {

constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;
// One event says the whole reply again, and events have a limit.
constexpr std::size_t kMaxRepeatedBytes = codec::kMaxSseEventBytes;

std::string write_part(bool thought, std::string_view text) {
  JsonWriter to;
  to.begin_object().member("type", thought ? "summary_text" : "output_text").member("text", text);
  if (!thought) to.raw_member("annotations", "[]").raw_member("logprobs", "[]");
  return to.end_object().take();
}

std::string write_item(bool thought, const std::string& id, std::string_view status,
                       std::string_view parts) {
  JsonWriter to;
  to.begin_object().member("type", thought ? "reasoning" : "message").member("id", id);
  if (!thought) to.member("status", status).member("role", "assistant");
  to.raw_member(thought ? "summary" : "content", "[" + std::string(parts) + "]");
  return to.end_object().take();
}

// A call as the client knows its tool.
struct OwnCall {
  OwnCall(const Call& call, const Names& names) : id(call.id), name(call.name) {
    given = call.arguments;
    const Tool* const tool = names.find(call.name);
    if (tool == nullptr) return;
    name = tool->own_name;
    space = tool->space;
    is_custom = tool->is_custom;
    if (is_custom) given = input_of(call.arguments);
  }
  // A model that does not give the one argument is given back what it said: its tool will tell it.
  static std::string input_of(const std::string& arguments) {
    codec::JsonTree tree;
    if (!tree.read(arguments, kMaxDepth)) return arguments;
    const std::size_t input = tree.find(0, "input");
    return input != codec::JsonTree::kNone && tree[input].is_string()
               ? std::string(tree[input].text)
               : arguments;
  }
  std::string_view kind() const { return is_custom ? "custom_tool_call" : "function_call"; }
  std::string_view member() const { return is_custom ? "input" : "arguments"; }

  static constexpr std::size_t kMaxDepth = 64;
  std::string id;
  std::string name;
  std::string space;
  std::string given;  // arguments, or the text
  bool is_custom = false;
};

std::string write_call(const OwnCall& call, const std::string& id, std::string_view status,
                       std::string_view given) {
  JsonWriter to;
  to.begin_object().member("type", call.kind()).member("id", id).member("status", status);
  to.member("call_id", call.id);
  if (!call.space.empty()) to.member("namespace", call.space);
  to.member("name", call.name).member(call.member(), given);
  return to.end_object().take();
}

void write_tokens(const Tokens& tokens, JsonWriter& to) {
  to.key("usage").begin_object().key("input_tokens").number(tokens.input);
  to.key("input_tokens_details").begin_object();
  to.key("cached_tokens").number(tokens.cached).end_object();
  to.key("output_tokens").number(tokens.output).key("output_tokens_details").begin_object();
  to.key("reasoning_tokens").number(tokens.reasoning).end_object();
  to.key("total_tokens").number(tokens.input + tokens.output).end_object();
}

bool is_incomplete(Reason reason) { return reason == Reason::kLength || reason == Reason::kFilter; }

// `status` "": as the answer ended.
std::string write_response(const Answer& answer, const Names& names, std::string_view status,
                           std::string_view items) {
  const bool incomplete = status.empty() && is_incomplete(answer.reason);
  if (status.empty()) status = incomplete ? "incomplete" : "completed";
  JsonWriter to;
  to.begin_object().member("id", answer.id.empty() ? "resp_" + names.id : answer.id);
  to.member("object", "response");
  to.raw_member("created_at", std::to_string(names.now.nanoseconds / kNanosecondsPerSecond));
  to.member("status", status).raw_member("error", "null").key("incomplete_details");
  if (incomplete) {
    to.begin_object();
    to.member("reason", answer.reason == Reason::kLength ? "max_output_tokens" : "content_filter");
    to.end_object();
  } else {
    to.raw("null");
  }
  to.raw_member("instructions", "null").raw_member("metadata", "{}");
  to.member("model", answer.model.empty() ? names.model : answer.model);
  to.raw_member("output", "[" + std::string(items) + "]");
  to.raw_member("parallel_tool_calls", "true").raw_member("temperature", "null");
  to.member("tool_choice", "auto").raw_member("tools", "[]").raw_member("top_p", "null");
  if (answer.tokens && status != "in_progress")
    write_tokens(*answer.tokens, to);
  else
    to.raw_member("usage", "null");
  return to.end_object().take();
}

bool is_thought(const Said& said) { return said.kind == TextKind::kReasoning; }

class ResponsesWriter final : public StreamWriter {
 public:
  explicit ResponsesWriter(const Names& names) : names_(names) {}

  void begin(const Answer& answer, std::string& out) override {
    const std::string response = write_response(answer, names_, "in_progress", "");
    for (const std::string_view type : {"response.created", "response.in_progress"}) {
      JsonWriter to = start(type);
      to.raw_member("response", response);
      send(type, to, out);
    }
  }

  void say(const Said& said, std::string& out) override {
    if (is_open_ && is_thought(said) != is_thought_) close(out);
    if (!is_open_) open(is_thought(said), out);
    JsonWriter to =
        place(is_thought_ ? "response.reasoning_summary_text.delta" : "response.output_text.delta");
    to.member("delta", said.text);
    if (!is_thought_) to.raw_member("logprobs", "[]");
    send(is_thought_ ? "response.reasoning_summary_text.delta" : "response.output_text.delta", to,
         out);
    // Beyond, the last events could not be sent anyway, and who reads them must see that.
    if (text_.size() + items_.size() <= kMaxRepeatedBytes) text_ += said.text;
  }

  void end(const Answer& answer, std::string& out) override {
    close(out);
    for (const Call& call : answer.calls) write_call_events(call, out);
    const std::string_view type =
        is_incomplete(answer.reason) ? "response.incomplete" : "response.completed";
    JsonWriter to = start(type);
    to.raw_member("response", write_response(answer, names_, "", items_));
    send(type, to, out);
  }

  void fail(const Failure& failure, std::string& out) override {
    JsonWriter to = start("error");
    to.key("code");
    if (failure.code.empty() && failure.type.empty())
      to.raw("null");
    else
      to.text(failure.code.empty() ? failure.type : failure.code);
    to.member("message", failure.message).raw_member("param", "null");
    // As well in the form that makes clients raise.
    const std::string body = write_failure(codec::Api::kOpenAiResponses, 0, failure);
    constexpr std::string_view kBegin = R"({"error":)";
    to.raw_member("error",
                  std::string_view(body).substr(kBegin.size(), body.size() - kBegin.size() - 1));
    send("error", to, out);
  }

 private:
  JsonWriter start(std::string_view type) {
    JsonWriter to;
    to.begin_object().member("type", type).key("sequence_number").number(sequence_++);
    return to;
  }
  JsonWriter place(std::string_view type) {
    JsonWriter to = start(type);
    to.member("item_id", id_).key("output_index").number(index_);
    to.key(is_thought_ ? "summary_index" : "content_index").number(0);
    return to;
  }
  static void send(std::string_view type, JsonWriter& to, std::string& out) {
    out += codec::serialise_sse(type, to.end_object().take());
  }
  void item_event(std::string_view type, std::string_view item, std::string& out) {
    JsonWriter to = start(type);
    to.key("output_index").number(index_).raw_member("item", item);
    send(type, to, out);
  }
  std::string make_id(std::string_view kind) const {
    return std::string(kind) + names_.id + "_" + std::to_string(index_);
  }
  void keep_item(std::string_view item) {
    items_.append(items_.empty() ? "" : ",").append(item);
    ++index_;
  }

  void open(bool thought, std::string& out) {
    is_open_ = true;
    is_thought_ = thought;
    text_.clear();
    id_ = make_id(thought ? "rs_" : "msg_");
    item_event("response.output_item.added", write_item(thought, id_, "in_progress", ""), out);
    const std::string_view type =
        thought ? "response.reasoning_summary_part.added" : "response.content_part.added";
    JsonWriter to = place(type);
    to.raw_member("part", write_part(thought, ""));
    send(type, to, out);
  }

  void close(std::string& out) {
    if (!is_open_) return;
    is_open_ = false;
    const std::string_view said =
        is_thought_ ? "response.reasoning_summary_text.done" : "response.output_text.done";
    JsonWriter text = place(said);
    text.member("text", text_);
    if (!is_thought_) text.raw_member("logprobs", "[]");
    send(said, text, out);
    const std::string_view whole =
        is_thought_ ? "response.reasoning_summary_part.done" : "response.content_part.done";
    JsonWriter part = place(whole);
    part.raw_member("part", write_part(is_thought_, text_));
    send(whole, part, out);
    const std::string item =
        write_item(is_thought_, id_, "completed", write_part(is_thought_, text_));
    item_event("response.output_item.done", item, out);
    keep_item(item);
  }

  void write_call_events(const Call& said, std::string& out) {
    const OwnCall call(said, names_);
    const std::string id = make_id(call.is_custom ? "ctc_" : "fc_");
    item_event("response.output_item.added", write_call(call, id, "in_progress", ""), out);
    const std::string stem =
        call.is_custom ? "response.custom_tool_call_input." : "response.function_call_arguments.";
    for (const bool is_delta : {true, false}) {
      const std::string type = stem + (is_delta ? "delta" : "done");
      JsonWriter to = start(type);
      to.member("item_id", id).key("output_index").number(index_);
      if (!is_delta && !call.is_custom) to.member("name", call.name);
      to.member(is_delta ? "delta" : call.member(), call.given);
      send(type, to, out);
    }
    const std::string item = write_call(call, id, "completed", call.given);
    item_event("response.output_item.done", item, out);
    keep_item(item);
  }

  Names names_;
  std::uint64_t sequence_ = 0;
  std::uint64_t index_ = 0;  // of the open or next item
  bool is_open_ = false;     // a message or thoughts
  bool is_thought_ = false;
  std::string id_;
  std::string text_;   // of the open item
  std::string items_;  // those that are done
};

}  // namespace

std::string write_responses_reply(const Answer& answer, const Names& names) {
  std::string items;
  std::size_t index = 0;
  const auto add = [&](std::string item) {
    items.append(items.empty() ? "" : ",").append(item);
    ++index;
  };
  const auto id = [&](std::string_view kind) {
    return std::string(kind) + names.id + "_" + std::to_string(index);
  };
  for (const bool thought : {true, false}) {
    std::string text;
    for (const Said& said : answer.said)
      if (is_thought(said) == thought) text += said.text;
    if (text.empty()) continue;
    add(write_item(thought, id(thought ? "rs_" : "msg_"), "completed", write_part(thought, text)));
  }
  for (const Call& said : answer.calls) {
    const OwnCall call(said, names);
    add(write_call(call, id(call.is_custom ? "ctc_" : "fc_"), "completed", call.given));
  }
  return write_response(answer, names, "", items);
}

std::unique_ptr<StreamWriter> make_responses_writer(const Names& names) {
  return std::make_unique<ResponsesWriter>(names);
}

}  // namespace aispm::gateway::translate
