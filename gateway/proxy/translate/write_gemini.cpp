// SPDX-License-Identifier: Apache-2.0
// Gemini's generateContent.
#include <array>

#include "gateway/proxy/translate/field_reader.hpp"
#include "gateway/proxy/translate/json_writer.hpp"
#include "gateway/proxy/translate/request_forms.hpp"

namespace aispm::gateway::translate {
namespace {

using Kind = Part::Kind;

tl::unexpected<Error> refuse(const std::string& field, std::string_view why) {
  return fail(Errc::kInvalid, field + ": " + std::string(why));
}

// Thoughts of earlier turns are its own only with their signatures.
bool says_something(const Part& part) {
  return part.kind != Kind::kReasoning && (part.kind != Kind::kText || !part.text.empty());
}

// What a tool gave must be an object there.
std::string as_object(const std::string& result) {
  if (is_object(result)) return result;
  JsonWriter to;
  return to.begin_object().member("result", result).end_object().take();
}

// Gemini 3 refuses a turn whose first call has none. For calls of other models, and where a client
// has lost it, the API has this word: docs/thought-signatures of Google's documentation.
constexpr std::string_view kUnsigned = "skip_thought_signature_validator";

bool wants_signatures(const Target& target) {
  return target.model.find("gemini-3") != std::string::npos;
}

Result<> write_part(const Part& part, JsonWriter& to, std::string_view signature = {}) {
  to.begin_object();
  switch (part.kind) {
    case Kind::kText:
      to.member("text", part.text);
      break;
    case Kind::kImage:
      if (part.media_type.empty())
        return refuse(part.field, "an image by URL has no counterpart there; send it in base64");
      to.key("inlineData").begin_object().member("mimeType", part.media_type);
      to.member("data", part.text).end_object();
      break;
    case Kind::kCall:
      to.key("functionCall").begin_object();
      if (!part.id.empty()) to.member("id", part.id);
      to.member("name", part.name).raw_member("args", part.arguments).end_object();
      if (is_gemini_signature(part.signature)) signature = part.signature;
      if (!signature.empty()) to.member("thoughtSignature", signature);
      break;
    case Kind::kResult:
      if (part.name.empty()) return refuse(part.field, "is the result of no call before it");
      to.key("functionResponse").begin_object();
      if (!part.id.empty()) to.member("id", part.id);
      to.member("name", part.name).raw_member("response", as_object(part.text)).end_object();
      break;
    case Kind::kReasoning:
      break;
  }
  to.end_object();
  return {};
}

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
      if (!std::exchange(any, true))
        to.key("systemInstruction").begin_object().key("parts").begin_array();
      AISPM_CHECK(write_part(part, to));
    }
  }
  if (any) to.end_array().end_object();
  return {};
}

bool is_models(const Message& message) { return message.speaker == Speaker::kAssistant; }

// Messages of one side that follow each other are one, results of tools first in it.
Result<> write_contents(const Conversation& from, const Target& target, JsonWriter& to) {
  to.key("contents").begin_array();
  const auto& all = from.messages;
  for (std::size_t i = 0; i < all.size();) {
    if (all[i].speaker == Speaker::kSystem) {
      ++i;
      continue;
    }
    const bool model = is_models(all[i]);
    std::vector<const Part*> first;
    std::vector<const Part*> rest;
    for (; i < all.size() && all[i].speaker != Speaker::kSystem && is_models(all[i]) == model; ++i)
      for (const Part& part : all[i].parts)
        if (says_something(part)) (part.kind == Kind::kResult ? first : rest).push_back(&part);
    if (first.empty() && rest.empty()) continue;
    to.begin_object().member("role", model ? "model" : "user").key("parts").begin_array();
    for (const Part* part : first) AISPM_CHECK(write_part(*part, to));
    // Of calls side by side the first bears it.
    std::string_view unsigned_call = wants_signatures(target) ? kUnsigned : std::string_view();
    for (const Part* part : rest) {
      AISPM_CHECK(write_part(*part, to, unsigned_call));
      if (part->kind == Kind::kCall) unsigned_call = {};
    }
    to.end_array().end_object();
  }
  to.end_array();
  return {};
}

Result<> write_tools(const Conversation& from, JsonWriter& to) {
  if (from.tools.empty()) return {};
  if (from.one_call_at_a_time)
    return refuse(from.one_call_field, "one call at a time cannot be asked for there");
  to.key("tools").begin_array().begin_object().key("functionDeclarations").begin_array();
  for (const Tool& tool : from.tools) {
    to.begin_object().member("name", tool.name);
    if (!tool.description.empty()) to.member("description", tool.description);
    if (!tool.schema.empty()) to.raw_member("parametersJsonSchema", tool.schema);
    to.end_object();
  }
  to.end_array().end_object().end_array();
  const ToolChoice& choice = from.tool_choice;
  using Choice = ToolChoice::Kind;
  if (choice.kind == Choice::kUnsaid) return {};
  constexpr std::array<std::string_view, 5> kModes = {"", "AUTO", "NONE", "ANY", "ANY"};
  to.key("toolConfig").begin_object().key("functionCallingConfig").begin_object();
  to.member("mode", kModes[static_cast<std::size_t>(choice.kind)]);
  if (choice.kind == Choice::kNamed)
    to.key("allowedFunctionNames").begin_array().text(choice.name).end_array();
  to.end_object().end_object();
  return {};
}

// Tokens for thoughts, in place of words; -1: as many as the model finds right.
std::string_view budget_of(std::string_view effort) {
  if (effort == "off") return "0";
  if (effort == "minimal") return "512";
  if (effort == "low") return "1024";
  if (effort == "medium") return "8192";
  return effort == "on" ? "-1" : "24576";
}

void write_settings(const Conversation& from, JsonWriter& to) {
  to.key("generationConfig").begin_object();
  const auto setting = [&](std::string_view name, const Setting& value) {
    if (value.given()) to.raw_member(name, value.json);
  };
  setting("maxOutputTokens", from.max_tokens);
  setting("temperature", from.temperature);
  setting("topP", from.top_p);
  setting("topK", from.top_k);
  setting("seed", from.seed);
  setting("presencePenalty", from.presence_penalty);
  setting("frequencyPenalty", from.frequency_penalty);
  if (!from.stop.empty()) {
    to.key("stopSequences").begin_array();
    for (const std::string& one : from.stop) to.text(one);
    to.end_array();
  }
  if (!from.effort.word.empty()) {
    to.key("thinkingConfig")
        .begin_object()
        .raw_member("thinkingBudget", budget_of(from.effort.word));
    if (from.effort.word != "off") to.raw_member("includeThoughts", "true");
    to.end_object();
  }
  if (from.reply_form.kind != ReplyForm::Kind::kText)
    to.member("responseMimeType", "application/json");
  if (from.reply_form.kind == ReplyForm::Kind::kSchema)
    to.raw_member("responseJsonSchema", from.reply_form.schema);
  to.end_object();
}

}  // namespace

// Model and whether it streams stand in the path.
Result<std::string> write_gemini(const Conversation& from, const Target& target) {
  JsonWriter to;
  to.begin_object();
  AISPM_CHECK(write_system(from, to));
  AISPM_CHECK(write_contents(from, target, to));
  AISPM_CHECK(write_tools(from, to));
  write_settings(from, to);
  return to.end_object().take();
}

}  // namespace aispm::gateway::translate
