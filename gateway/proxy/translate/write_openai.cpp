// SPDX-License-Identifier: Apache-2.0
// OpenAI's chat completions.
#include "gateway/proxy/translate/json_writer.hpp"
#include "gateway/proxy/translate/request_forms.hpp"

namespace aispm::gateway::translate {
namespace {

using Kind = Part::Kind;

std::string image_url(const Part& image) {
  if (image.media_type.empty()) return image.text;
  return "data:" + image.media_type + ";base64," + image.text;
}

void write_result(const Part& result, JsonWriter& to) {
  to.begin_object().member("role", "tool").member("tool_call_id", result.id);
  to.member("content", result.text).end_object();
}

// One text as a string; more, or images, as parts.
void write_content(const std::vector<const Part*>& parts, JsonWriter& to) {
  to.key("content");
  if (parts.size() == 1 && parts.front()->kind == Kind::kText) {
    to.text(parts.front()->text);
    return;
  }
  to.begin_array();
  for (const Part* part : parts) {
    to.begin_object();
    if (part->kind == Kind::kText) {
      to.member("type", "text").member("text", part->text);
    } else {
      to.member("type", "image_url").key("image_url").begin_object();
      to.member("url", image_url(*part)).end_object();
    }
    to.end_object();
  }
  to.end_array();
}

void write_calls(const Message& message, JsonWriter& to) {
  bool any = false;
  for (const Part& part : message.parts) {
    if (part.kind != Kind::kCall) continue;
    if (!std::exchange(any, true)) to.key("tool_calls").begin_array();
    to.begin_object().member("id", part.id).member("type", "function");
    to.key("function").begin_object().member("name", part.name);
    to.member("arguments", part.arguments).end_object().end_object();
  }
  if (any) to.end_array();
}

Result<> write_message(const Message& message, JsonWriter& to) {
  std::vector<const Part*> content;
  bool calls = false;
  for (const Part& part : message.parts) {
    if (part.kind == Kind::kResult) write_result(part, to);
    if (part.kind == Kind::kCall) calls = true;
    if (part.kind == Kind::kText || part.kind == Kind::kImage) content.push_back(&part);
    if (part.kind == Kind::kImage && message.speaker != Speaker::kUser)
      return fail(Errc::kInvalid, part.field + ": an image that is not the user's");
  }
  if (content.empty() && !calls) return {};
  constexpr std::string_view kRoles[] = {"system", "user", "assistant", "user"};
  to.begin_object().member("role", kRoles[static_cast<std::size_t>(message.speaker)]);
  if (content.empty())
    to.raw_member("content", "null");
  else
    write_content(content, to);
  write_calls(message, to);
  to.end_object();
  return {};
}

void write_tools(const Conversation& from, JsonWriter& to) {
  if (from.tools.empty()) return;
  to.key("tools").begin_array();
  for (const Tool& tool : from.tools) {
    to.begin_object().member("type", "function").key("function").begin_object();
    to.member("name", tool.name);
    if (!tool.description.empty()) to.member("description", tool.description);
    if (!tool.schema.empty()) to.raw_member("parameters", tool.schema);
    if (tool.strict) to.raw_member("strict", "true");
    to.end_object().end_object();
  }
  to.end_array();
  if (from.one_call_at_a_time) to.raw_member("parallel_tool_calls", "false");
}

void write_choice(const ToolChoice& choice, JsonWriter& to) {
  switch (choice.kind) {
    case ToolChoice::Kind::kUnsaid:
      return;
    case ToolChoice::Kind::kAuto:
      to.member("tool_choice", "auto");
      return;
    case ToolChoice::Kind::kNone:
      to.member("tool_choice", "none");
      return;
    case ToolChoice::Kind::kAny:
      to.member("tool_choice", "required");
      return;
    case ToolChoice::Kind::kNamed:
      break;
  }
  to.key("tool_choice").begin_object().member("type", "function");
  to.key("function").begin_object().member("name", choice.name).end_object().end_object();
}

void write_form(const ReplyForm& form, JsonWriter& to) {
  if (form.kind == ReplyForm::Kind::kText) return;
  to.key("response_format").begin_object();
  if (form.kind == ReplyForm::Kind::kJson) {
    to.member("type", "json_object");
  } else {
    to.member("type", "json_schema").key("json_schema").begin_object();
    to.member("name", form.name).raw_member("schema", form.schema).end_object();
  }
  to.end_object();
}

}  // namespace

Result<std::string> write_openai(const Conversation& from, const Target& target) {
  JsonWriter to;
  to.begin_object().member("model", target.model).key("messages").begin_array();
  for (const Message& message : from.messages) AISPM_CHECK(write_message(message, to));
  to.end_array();
  write_tools(from, to);
  write_choice(from.tool_choice, to);
  if (from.max_tokens.given())
    to.raw_member(target.is_openai_itself ? "max_completion_tokens" : "max_tokens",
                  from.max_tokens.json);
  const auto setting = [&](std::string_view name, const Setting& value) {
    if (value.given()) to.raw_member(name, value.json);
  };
  setting("temperature", from.temperature);
  setting("top_p", from.top_p);
  setting("seed", from.seed);
  setting("presence_penalty", from.presence_penalty);
  setting("frequency_penalty", from.frequency_penalty);
  if (from.top_k.given())
    return fail(Errc::kInvalid, from.top_k.field + ": has no counterpart there");
  if (!from.stop.empty()) {
    to.key("stop").begin_array();
    for (const std::string& one : from.stop) to.text(one);
    to.end_array();
  }
  const std::string& effort = from.effort.word;
  // Whether there are thoughts at all is the model's choice here.
  if (effort == "on") to.member("reasoning_effort", "medium");
  if (!effort.empty() && effort != "on" && effort != "off") to.member("reasoning_effort", effort);
  write_form(from.reply_form, to);
  to.raw_member("stream", from.stream ? "true" : "false");
  if (from.stream) to.raw_member("stream_options", R"({"include_usage":true})");
  return to.end_object().take();
}

}  // namespace aispm::gateway::translate
