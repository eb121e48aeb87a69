// SPDX-License-Identifier: Apache-2.0
// OpenAI's Responses.
#include <algorithm>
#include <array>

#include "gateway/proxy/translate/json_writer.hpp"
#include "gateway/proxy/translate/reader_parts.hpp"
#include "gateway/proxy/translate/request_forms.hpp"
#include "sdk/core/codec/llm.hpp"

namespace aispm::gateway::translate {

using codec::JsonKind;
using codec::JsonNode;
using codec::JsonTree;

namespace {

// Labels, billing and caches: the answer is the same without them. docs/operate.md names them.
constexpr std::array<std::string_view, 9> kIgnored = {"user",
                                                      "metadata",
                                                      "service_tier",
                                                      "stream_options",
                                                      "safety_identifier",
                                                      "prompt_cache_key",
                                                      "client_metadata",
                                                      "prompt_cache_options",
                                                      "prompt_cache_retention"};

constexpr std::array<SettingName, 3> kSettings = {{
    {"max_output_tokens", &Conversation::max_tokens},
    {"temperature", &Conversation::temperature},
    {"top_p", &Conversation::top_p},
}};

// The argument that carries what a custom tool is given, which is a text.
constexpr std::string_view kInputSchema =
    R"({"type":"object","properties":{"input":{"type":"string"}},"required":["input"],)"
    R"("additionalProperties":false})";

class ResponsesReader {
 public:
  ResponsesReader(const JsonTree& tree, std::string_view body) : fields_(tree, body), tree_(tree) {}

  Result<Conversation> read() {
    if (const std::size_t system = fields_.find(0, "instructions"); system != kNone)
      to_.messages.push_back(
          {Speaker::kSystem,
           {{.text = fields_.text(system, "instructions"), .field = "instructions"}},
           "instructions"});
    tree_.each_member(0, [&](const JsonNode& key, std::size_t value) {
      if (fields_.is_null(value) || fields_.failed() || key.text == "instructions") return;
      if (!read_settings(key.text, value) && !read_content(key.text, value))
        read_rest(key.text, value);
    });
    AISPM_CHECK(fields_.result());
    return std::move(to_);
  }

 private:
  bool read_settings(std::string_view name, std::size_t value) {
    const std::string field(name);
    if (take_setting(fields_, kSettings, name, value, field, to_)) return true;
    if (name == "model") {
      to_.model = fields_.text(value, field);
    } else if (name == "stream") {
      to_.stream = fields_.flag(value, field);
    } else if (name == "reasoning") {
      read_reasoning(value, field);
    } else if (name == "text") {
      read_form(value, field);
    } else {
      return false;
    }
    return true;
  }

  bool read_content(std::string_view name, std::size_t value) {
    const std::string field(name);
    if (name == "input") {
      read_input(value, field);
    } else if (name == "tools") {
      tree_.each_element(fields_.list(value, field), [&](std::size_t tool, std::size_t index) {
        read_tool(tool, at(field, index), {});
      });
    } else if (name == "tool_choice") {
      to_.tool_choice =
          read_word_choice(fields_, value, field, fields_.find(value, "name"), in(field, "name"));
    } else if (name == "parallel_tool_calls") {
      to_.one_call_at_a_time = !fields_.flag(value, field);
      to_.one_call_field = field;
    } else if (name == "include") {
      // Thoughts are not kept for later: there are none to include.
      for (const std::string& one : fields_.texts(value, field))
        if (one != "reasoning.encrypted_content") fields_.no_counterpart(field);
    } else {
      return false;
    }
    return true;
  }

  void read_rest(std::string_view name, std::size_t value) {
    if (std::find(kIgnored.begin(), kIgnored.end(), name) != kIgnored.end()) return;
    if (name == "truncation" && tree_[value].text == "disabled") return;
    if (!fields_.asks_nothing(value)) fields_.no_counterpart(std::string(name));
  }

  void read_reasoning(std::size_t value, const std::string& field) {
    fields_.only(value, field, {"effort", "summary", "generate_summary"});
    const std::size_t effort = fields_.find(value, "effort");
    if (effort == kNone) return;
    to_.effort = read_effort_word(fields_, effort, in(field, "effort"));
  }

  void read_form(std::size_t value, const std::string& field) {
    fields_.only(value, field, {"format"});
    const std::size_t format = fields_.find(value, "format");
    if (format == kNone) return;
    const std::string place = in(field, "format");
    const std::string_view type = tree_.string_at(format, "type");
    if (type == "json_object") {
      to_.reply_form = {ReplyForm::Kind::kJson, {}, {}, place};
    } else if (type == "json_schema") {
      to_.reply_form = {ReplyForm::Kind::kSchema,
                        fields_.text(fields_.find(format, "name"), in(place, "name")),
                        fields_.object(fields_.find(format, "schema"), in(place, "schema")), place};
      if (to_.reply_form.schema.empty()) fields_.refuse(in(place, "schema"), "is not there");
    } else if (type != "text") {
      fields_.no_counterpart(place);
    }
  }

  void read_input(std::size_t value, const std::string& field) {
    if (tree_[value].is_string()) {
      to_.messages.push_back(
          {Speaker::kUser, {{.text = std::string(tree_[value].text), .field = field}}, field});
      return;
    }
    tree_.each_element(fields_.list(value, field), [&](std::size_t item, std::size_t index) {
      if (!fields_.failed()) read_item(item, at(field, index));
    });
  }

  void read_item(std::size_t item, const std::string& field) {
    const std::string_view type = tree_.string_at(item, "type");
    if (type == "reasoning") return;  // only who thought it can read it
    if (type == "function_call") return read_call(item, field);
    if (type == "custom_tool_call") return read_custom_call(item, field);
    if (type == "function_call_output" || type == "custom_tool_call_output")
      return read_result(item, field);
    if (type == "web_search_call") return;  // what came of it stands in the answer
    if (!type.empty() && type != "message")
      return fields_.refuse(field, "of this type has no counterpart there");
    fields_.only(item, field, {"type", "role", "content", "id", "status", "phase"});
    const std::string_view role = tree_.string_at(item, "role");
    Message made{Speaker::kUser, {}, field};
    if (role == "system" || role == "developer") {
      made.speaker = Speaker::kSystem;
    } else if (role == "assistant") {
      made.speaker = Speaker::kAssistant;
    } else if (role != "user") {
      return fields_.refuse(in(field, "role"), "is not a role that can be translated");
    }
    read_parts(fields_.find(item, "content"), in(field, "content"), made);
    to_.messages.push_back(std::move(made));
  }

  void read_parts(std::size_t content, const std::string& field, Message& made) {
    if (content == kNone) return;
    if (tree_[content].is_string()) {
      made.parts.push_back({.text = std::string(tree_[content].text), .field = field});
      return;
    }
    tree_.each_element(fields_.list(content, field), [&](std::size_t part, std::size_t index) {
      read_part(part, at(field, index), made);
    });
  }

  void read_part(std::size_t part, const std::string& field, Message& made) {
    const std::string_view type = tree_.string_at(part, "type");
    if (type == "input_image") {
      fields_.only(part, field, {"type", "image_url", "detail"});
      Part image{.kind = Part::Kind::kImage, .field = field};
      const std::string url = fields_.text(fields_.find(part, "image_url"), in(field, "image_url"));
      if (url.empty()) return fields_.refuse(in(field, "image_url"), "is not there");
      if (!url.starts_with("data:"))
        image.text = url;
      else if (!read_data_url(url, image))
        return fields_.refuse(in(field, "image_url"), "is not an image in base64");
      made.parts.push_back(std::move(image));
      return;
    }
    const std::string_view key = type == "refusal" ? "refusal" : "text";
    if (type != "input_text" && type != "output_text" && type != "refusal")
      return fields_.refuse(field, "of this type has no counterpart there");
    fields_.only(part, field, {"type", key, "annotations", "logprobs"});
    made.parts.push_back(
        {.text = fields_.text(fields_.find(part, key), in(field, key)), .field = field});
  }

  // Items of one turn are one message elsewhere.
  void read_call(std::size_t item, const std::string& field) {
    fields_.only(item, field,
                 {"type", "id", "call_id", "name", "arguments", "status", "namespace"});
    const std::string place = in(field, "arguments");
    add_call(item, field,
             fields_.arguments(fields_.text(fields_.find(item, "arguments"), place), place));
  }

  void read_custom_call(std::size_t item, const std::string& field) {
    fields_.only(item, field, {"type", "id", "call_id", "name", "input", "status", "namespace"});
    JsonWriter to;
    to.begin_object().member("input",
                             fields_.text(fields_.find(item, "input"), in(field, "input")));
    add_call(item, field, to.end_object().take());
  }

  void add_call(std::size_t item, const std::string& field, std::string arguments) {
    Part call{.kind = Part::Kind::kCall, .field = field};
    call.id = fields_.text(fields_.find(item, "call_id"), in(field, "call_id"));
    call.name = flat_name(tree_.string_at(item, "namespace"),
                          fields_.text(fields_.find(item, "name"), in(field, "name")));
    call.arguments = std::move(arguments);
    if (to_.messages.empty() || to_.messages.back().speaker != Speaker::kAssistant)
      to_.messages.push_back({Speaker::kAssistant, {}, field});
    to_.messages.back().parts.push_back(std::move(call));
  }

  void read_result(std::size_t item, const std::string& field) {
    fields_.only(item, field, {"type", "id", "call_id", "output", "status", "name"});
    Message content;
    read_parts(fields_.find(item, "output"), in(field, "output"), content);
    Part result = result_of(fields_, content, field);
    result.id = fields_.text(fields_.find(item, "call_id"), in(field, "call_id"));
    result.name = tool_called(to_, result.id);
    Message made{Speaker::kTool, {}, field};
    made.parts.push_back(std::move(result));
    to_.messages.push_back(std::move(made));
  }

  void read_tool(std::size_t tool, const std::string& field, std::string_view space) {
    const std::string_view type = tree_.string_at(tool, "type");
    // The provider would search, not the client: a model elsewhere does not get this tool.
    if (type == "web_search" || type == "web_search_preview") return;
    if (type == "namespace" && space.empty()) return read_space(tool, field);
    if (type != "function" && type != "custom")
      return fields_.refuse(field, "is no function, and only functions have a counterpart there");
    Tool made;
    if (type == "function") {
      made = read_function(fields_, tool, field, "parameters", {"type", "defer_loading"});
    } else {
      made = read_custom(tool, field);
    }
    if (!space.empty() || made.is_custom) {
      made.own_name = made.name;
      made.space = space;
      made.name = flat_name(space, made.name);
    }
    const bool is_taken = std::any_of(to_.tools.begin(), to_.tools.end(),
                                      [&](const Tool& other) { return other.name == made.name; });
    if (is_taken || made.name.size() > kMaxToolName)
      return fields_.refuse(in(field, "name"), "cannot be said as one name of at most 64 bytes");
    to_.tools.push_back(std::move(made));
  }

  void read_space(std::size_t space, const std::string& field) {
    fields_.only(space, field, {"type", "name", "description", "tools"});
    const std::string name = fields_.text(fields_.find(space, "name"), in(field, "name"));
    const std::string place = in(field, "tools");
    if (name.empty()) return fields_.refuse(in(field, "name"), "is not there");
    tree_.each_element(
        fields_.list(fields_.find(space, "tools"), place),
        [&](std::size_t tool, std::size_t index) { read_tool(tool, at(place, index), name); });
  }

  // A text in a form that the client describes: the model is told of the form in words.
  Tool read_custom(std::size_t tool, const std::string& field) {
    fields_.only(tool, field, {"type", "name", "description", "format", "defer_loading"});
    Tool made;
    made.is_custom = true;
    made.name = fields_.text(fields_.find(tool, "name"), in(field, "name"));
    made.description = fields_.text(fields_.find(tool, "description"), in(field, "description"));
    made.schema = kInputSchema;
    const std::size_t format = fields_.find(tool, "format");
    if (format == kNone || tree_.string_at(format, "type") == "text") return made;
    const std::string place = in(field, "format");
    fields_.only(format, place, {"type", "syntax", "definition"});
    if (tree_.string_at(format, "type") != "grammar") fields_.no_counterpart(in(place, "type"));
    made.description += "\n\n`input` follows this grammar (" +
                        std::string(tree_.string_at(format, "syntax")) + "):\n" +
                        std::string(tree_.string_at(format, "definition"));
    return made;
  }

  FieldReader fields_;
  const JsonTree& tree_;
  Conversation to_;
};

}  // namespace

Result<Conversation> read_responses(std::string_view body) {
  JsonTree tree;
  AISPM_CHECK(tree.read(body, codec::kMaxJsonDepth));
  return ResponsesReader(tree, body).read();
}

}  // namespace aispm::gateway::translate
