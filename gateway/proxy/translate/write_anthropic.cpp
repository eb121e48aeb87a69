// SPDX-License-Identifier: Apache-2.0
// Anthropic's messages.
#include <charconv>

#include "gateway/proxy/translate/json_writer.hpp"
#include "gateway/proxy/translate/request_forms.hpp"

namespace aispm::gateway::translate {
namespace {

using Kind = Part::Kind;

tl::unexpected<Error> refuse(const std::string& field, std::string_view why) {
  return fail(Errc::kInvalid, field + ": " + std::string(why));
}

// Empty texts are an error there.
bool says_something(const Part& part) {
  return part.kind != Kind::kReasoning && (part.kind != Kind::kText || !part.text.empty());
}

void write_image(const Part& part, JsonWriter& to) {
  to.member("type", "image").key("source").begin_object();
  if (part.media_type.empty()) {
    to.member("type", "url").member("url", part.text);
  } else {
    to.member("type", "base64").member("media_type", part.media_type).member("data", part.text);
  }
  to.end_object();
}

void write_block(const Part& part, JsonWriter& to) {
  to.begin_object();
  switch (part.kind) {
    case Kind::kText:
      to.member("type", "text").member("text", part.text);
      break;
    case Kind::kImage:
      write_image(part, to);
      break;
    case Kind::kCall:
      to.member("type", "tool_use").member("id", part.id).member("name", part.name);
      to.raw_member("input", part.arguments);
      break;
    case Kind::kResult:
      to.member("type", "tool_result").member("tool_use_id", part.id).member("content", part.text);
      break;
    case Kind::kReasoning:
      break;
  }
  to.end_object();
}

bool is_users(const Message& message) {
  return message.speaker == Speaker::kUser || message.speaker == Speaker::kTool;
}

// Only before all others; there is one place for it.
Result<> write_system(const Conversation& from, JsonWriter& to) {
  bool any = false;
  bool over = false;
  for (const Message& message : from.messages) {
    if (message.speaker != Speaker::kSystem) {
      over = true;
      continue;
    }
    if (over)
      return refuse(message.field, "a system message behind others has no counterpart there");
    for (const Part& part : message.parts) {
      if (!says_something(part)) continue;
      if (part.kind != Kind::kText) return refuse(part.field, "is not text");
      if (!std::exchange(any, true)) to.key("system").begin_array();
      write_block(part, to);
    }
  }
  if (any) to.end_array();
  return {};
}

// Messages of one side that follow each other are one: results of tools must stand together,
// before what else the user says.
Result<> write_messages(const Conversation& from, JsonWriter& to) {
  to.key("messages").begin_array();
  const auto& all = from.messages;
  for (std::size_t i = 0; i < all.size();) {
    if (all[i].speaker == Speaker::kSystem) {
      ++i;
      continue;
    }
    const bool user = is_users(all[i]);
    std::vector<const Part*> first;
    std::vector<const Part*> rest;
    for (; i < all.size() && all[i].speaker != Speaker::kSystem && is_users(all[i]) == user; ++i)
      for (const Part& part : all[i].parts) {
        if (!says_something(part)) continue;
        if (part.kind == Kind::kImage && !user)
          return refuse(part.field, "an image that is not the user's has no counterpart there");
        (part.kind == Kind::kResult ? first : rest).push_back(&part);
      }
    if (first.empty() && rest.empty()) continue;
    to.begin_object().member("role", user ? "user" : "assistant").key("content").begin_array();
    for (const Part* part : first) write_block(*part, to);
    for (const Part* part : rest) write_block(*part, to);
    to.end_array().end_object();
  }
  to.end_array();
  return {};
}

void write_tools(const Conversation& from, JsonWriter& to) {
  if (from.tools.empty()) return;
  to.key("tools").begin_array();
  for (const Tool& tool : from.tools) {
    to.begin_object().member("name", tool.name);
    if (!tool.description.empty()) to.member("description", tool.description);
    to.raw_member("input_schema",
                  tool.schema.empty() ? std::string_view(R"({"type":"object"})") : tool.schema);
    if (tool.strict) to.raw_member("strict", "true");
    to.end_object();
  }
  to.end_array();
}

void write_choice(const Conversation& from, JsonWriter& to) {
  const ToolChoice& choice = from.tool_choice;
  using Choice = ToolChoice::Kind;
  const bool one = from.one_call_at_a_time && !from.tools.empty() && choice.kind != Choice::kNone;
  if (choice.kind == Choice::kUnsaid && !one) return;
  to.key("tool_choice").begin_object();
  switch (choice.kind) {
    case Choice::kUnsaid:
    case Choice::kAuto:
      to.member("type", "auto");
      break;
    case Choice::kNone:
      to.member("type", "none");
      break;
    case Choice::kAny:
      to.member("type", "any");
      break;
    case Choice::kNamed:
      to.member("type", "tool").member("name", choice.name);
      break;
  }
  if (one) to.raw_member("disable_parallel_tool_use", "true");
  to.end_object();
}

// "thinking" for whether, "output_config" for how much and in which form.
Result<> write_output(const Conversation& from, JsonWriter& to) {
  const std::string& effort = from.effort.word;
  if (effort == "minimal") return refuse(from.effort.field, "\"minimal\" has no counterpart there");
  if (effort == "on") to.raw_member("thinking", R"({"type":"adaptive"})");
  if (effort == "off") to.raw_member("thinking", R"({"type":"disabled"})");
  const bool has_effort = !effort.empty() && effort != "on" && effort != "off";
  const ReplyForm& form = from.reply_form;
  if (form.kind == ReplyForm::Kind::kJson)
    return refuse(form.field, "JSON without a schema has no counterpart there; give a schema");
  const bool has_form = form.kind == ReplyForm::Kind::kSchema;
  if (!has_effort && !has_form) return {};
  to.key("output_config").begin_object();
  if (has_effort) to.member("effort", effort);
  if (has_form) {
    to.key("format").begin_object().member("type", "json_schema");
    to.raw_member("schema", form.schema).end_object();
  }
  to.end_object();
  return {};
}

Result<> write_settings(const Conversation& from, const Target& target, JsonWriter& to) {
  for (const Setting* lost : {&from.seed, &from.presence_penalty, &from.frequency_penalty})
    if (lost->given()) return refuse(lost->field, "has no counterpart there");
  if (from.temperature.given()) {
    const std::string& json = from.temperature.json;
    double value = 0;
    std::from_chars(json.data(), json.data() + json.size(), value);
    if (value > 1) return refuse(from.temperature.field, "is at most 1 there");
    to.raw_member("temperature", json);
  }
  if (from.max_tokens.given())
    to.raw_member("max_tokens", from.max_tokens.json);
  else
    to.key("max_tokens").number(target.max_tokens);
  if (from.top_p.given()) to.raw_member("top_p", from.top_p.json);
  if (from.top_k.given()) to.raw_member("top_k", from.top_k.json);
  if (from.stop.empty()) return {};
  to.key("stop_sequences").begin_array();
  for (const std::string& one : from.stop) to.text(one);
  to.end_array();
  return {};
}

}  // namespace

Result<std::string> write_anthropic(const Conversation& from, const Target& target) {
  JsonWriter to;
  to.begin_object().member("model", target.model);
  AISPM_CHECK(write_system(from, to));
  AISPM_CHECK(write_messages(from, to));
  write_tools(from, to);
  write_choice(from, to);
  AISPM_CHECK(write_settings(from, target, to));
  AISPM_CHECK(write_output(from, to));
  to.raw_member("stream", from.stream ? "true" : "false");
  return to.end_object().take();
}

}  // namespace aispm::gateway::translate
