// SPDX-License-Identifier: Apache-2.0
// Ollama's chat.
#include "gateway/proxy/translate/json_writer.hpp"
#include "gateway/proxy/translate/request_forms.hpp"

namespace aispm::gateway::translate {
namespace {

using Kind = Part::Kind;

tl::unexpected<Error> refuse(const std::string& field, std::string_view why) {
  return fail(Errc::kInvalid, field + ": " + std::string(why));
}

void write_result(const Part& result, JsonWriter& to) {
  to.begin_object().member("role", "tool").member("content", result.text);
  if (!result.name.empty()) to.member("tool_name", result.name);
  if (!result.id.empty()) to.member("tool_call_id", result.id);
  to.end_object();
}

void write_calls(const Message& message, JsonWriter& to) {
  bool any = false;
  for (const Part& part : message.parts) {
    if (part.kind != Kind::kCall) continue;
    if (!std::exchange(any, true)) to.key("tool_calls").begin_array();
    to.begin_object();
    if (!part.id.empty()) to.member("id", part.id);
    to.key("function").begin_object().member("name", part.name);
    to.raw_member("arguments", part.arguments).end_object().end_object();
  }
  if (any) to.end_array();
}

// All texts of a message are one there, its images stand beside it.
Result<> write_message(const Message& message, JsonWriter& to) {
  std::string text;
  std::string thought;
  std::vector<const Part*> images;
  bool any = false;
  for (const Part& part : message.parts) {
    if (part.kind == Kind::kResult) {
      write_result(part, to);
      continue;
    }
    any = true;
    if (part.kind == Kind::kText) text.append(text.empty() ? "" : "\n").append(part.text);
    if (part.kind == Kind::kReasoning) thought += part.text;
    if (part.kind != Kind::kImage) continue;
    if (part.media_type.empty())
      return refuse(part.field, "is an image's address, and there it must be its bytes (base64)");
    images.push_back(&part);
  }
  if (!any) return {};
  constexpr std::string_view kRoles[] = {"system", "user", "assistant", "user"};
  to.begin_object().member("role", kRoles[static_cast<std::size_t>(message.speaker)]);
  to.member("content", text);
  if (!thought.empty()) to.member("thinking", thought);
  if (!images.empty()) {
    to.key("images").begin_array();
    for (const Part* image : images) to.text(image->text);
    to.end_array();
  }
  write_calls(message, to);
  to.end_object();
  return {};
}

// Without a word for it: no tools at all is what "none" comes to.
Result<> write_tools(const Conversation& from, JsonWriter& to) {
  const ToolChoice& choice = from.tool_choice;
  if (choice.kind == ToolChoice::Kind::kAny || choice.kind == ToolChoice::Kind::kNamed)
    return refuse(choice.field, "that a tool must be called has no counterpart there");
  if (from.tools.empty() || choice.kind == ToolChoice::Kind::kNone) return {};
  if (from.one_call_at_a_time) return refuse(from.one_call_field, "has no counterpart there");
  to.key("tools").begin_array();
  for (const Tool& tool : from.tools) {
    to.begin_object().member("type", "function").key("function").begin_object();
    to.member("name", tool.name).member("description", tool.description);
    to.raw_member("parameters", tool.schema.empty()
                                    ? std::string_view(R"({"type":"object","properties":{}})")
                                    : tool.schema);
    to.end_object().end_object();
  }
  to.end_array();
  return {};
}

void write_options(const Conversation& from, JsonWriter& to) {
  to.key("options").begin_object();
  const auto setting = [&](std::string_view name, const Setting& value) {
    if (value.given()) to.raw_member(name, value.json);
  };
  setting("num_predict", from.max_tokens);
  setting("temperature", from.temperature);
  setting("top_p", from.top_p);
  setting("top_k", from.top_k);
  setting("seed", from.seed);
  setting("presence_penalty", from.presence_penalty);
  setting("frequency_penalty", from.frequency_penalty);
  if (!from.stop.empty()) {
    to.key("stop").begin_array();
    for (const std::string& one : from.stop) to.text(one);
    to.end_array();
  }
  to.end_object();
}

}  // namespace

Result<std::string> write_ollama(const Conversation& from, const Target& target) {
  JsonWriter to;
  to.begin_object().member("model", target.model).key("messages").begin_array();
  for (const Message& message : from.messages) AISPM_CHECK(write_message(message, to));
  to.end_array();
  AISPM_CHECK(write_tools(from, to));
  write_options(from, to);
  const std::string& effort = from.effort.word;
  if (effort == "minimal" || effort == "xhigh")
    return refuse(from.effort.field, "\"" + effort + "\" has no counterpart there");
  if (effort == "on" || effort == "off")
    to.raw_member("think", effort == "on" ? "true" : "false");
  else if (!effort.empty())
    to.member("think", effort);
  if (from.reply_form.kind == ReplyForm::Kind::kJson) to.member("format", "json");
  if (from.reply_form.kind == ReplyForm::Kind::kSchema)
    to.raw_member("format", from.reply_form.schema);
  to.raw_member("stream", from.stream ? "true" : "false");
  return to.end_object().take();
}

}  // namespace aispm::gateway::translate
