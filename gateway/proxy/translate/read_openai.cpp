// SPDX-License-Identifier: Apache-2.0
// OpenAI's chat completions.
#include <algorithm>
#include <array>

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
                                                      "store",
                                                      "service_tier",
                                                      "safety_identifier",
                                                      "prompt_cache_key",
                                                      "prompt_cache_options",
                                                      "prompt_cache_retention",
                                                      "stream_options"};

constexpr std::array<SettingName, 8> kSettings = {{
    {"max_tokens", &Conversation::max_tokens},
    {"max_completion_tokens", &Conversation::max_tokens},
    {"temperature", &Conversation::temperature},
    {"top_p", &Conversation::top_p},
    {"top_k", &Conversation::top_k},
    {"seed", &Conversation::seed},
    {"presence_penalty", &Conversation::presence_penalty, false},
    {"frequency_penalty", &Conversation::frequency_penalty, false},
}};

class OpenAiReader {
 public:
  OpenAiReader(const JsonTree& tree, std::string_view body) : fields_(tree, body), tree_(tree) {}

  Result<Conversation> read() {
    tree_.each_member(0, [&](const JsonNode& key, std::size_t value) {
      if (fields_.is_null(value) || fields_.failed()) return;
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
    } else if (name == "stop") {
      to_.stop = fields_.texts(value, field);
    } else if (name == "reasoning_effort") {
      to_.effort = read_effort_word(fields_, value, field);
    } else {
      return false;
    }
    return true;
  }

  bool read_content(std::string_view name, std::size_t value) {
    const std::string field(name);
    if (name == "messages") {
      tree_.each_element(fields_.list(value, field), [&](std::size_t message, std::size_t index) {
        read_message(message, at(field, index));
      });
    } else if (name == "tools") {
      tree_.each_element(fields_.list(value, field), [&](std::size_t tool, std::size_t index) {
        read_tool(tool, at(field, index));
      });
    } else if (name == "tool_choice") {
      const std::size_t function = fields_.find(value, "function");
      to_.tool_choice = read_word_choice(fields_, value, field, fields_.find(function, "name"),
                                         in(field, "function.name"));
    } else if (name == "parallel_tool_calls") {
      to_.one_call_at_a_time = !fields_.flag(value, field);
      to_.one_call_field = field;
    } else if (name == "response_format") {
      read_form(value, field);
    } else {
      return false;
    }
    return true;
  }

  // What is fine as long as it asks for nothing.
  void read_rest(std::string_view name, std::size_t value) {
    if (std::find(kIgnored.begin(), kIgnored.end(), name) != kIgnored.end()) return;
    const std::string field(name);
    if (name == "n" && tree_.number(value) == 1) return;
    if (name == "modalities") {
      for (const std::string& one : fields_.texts(value, field))
        if (one != "text") fields_.no_counterpart(field);
      return;
    }
    if (!fields_.asks_nothing(value)) fields_.no_counterpart(field);
  }

  void read_message(std::size_t message, const std::string& field) {
    Message made{Speaker::kUser, {}, field};
    const std::string role(tree_.string_at(message, "role"));
    if (role == "system" || role == "developer") {
      made.speaker = Speaker::kSystem;
    } else if (role == "assistant") {
      made.speaker = Speaker::kAssistant;
    } else if (role == "tool") {
      made.speaker = Speaker::kTool;
    } else if (role != "user") {
      return fields_.refuse(in(field, "role"), "is not a role that can be translated");
    }
    fields_.only(message, field,
                 {"role", "content", "name", "tool_calls", "tool_call_id", "refusal",
                  "reasoning_content", "reasoning", "annotations"});
    if (made.speaker == Speaker::kTool) return read_result(message, field, std::move(made));
    if (fields_.find(message, "name") != kNone) fields_.no_counterpart(in(field, "name"));
    read_reasoning(message, field, made);
    read_parts(fields_.find(message, "content"), in(field, "content"), made);
    if (const auto refusal = fields_.find(message, "refusal"); refusal != kNone)
      made.parts.push_back({.text = fields_.text(refusal, in(field, "refusal")), .field = field});
    const std::string calls = in(field, "tool_calls");
    tree_.each_element(
        fields_.list(fields_.find(message, "tool_calls"), calls),
        [&](std::size_t call, std::size_t i) { read_call(call, at(calls, i), made); });
    to_.messages.push_back(std::move(made));
  }

  void read_reasoning(std::size_t message, const std::string& field, Message& made) {
    for (const std::string_view key : {"reasoning_content", "reasoning"}) {
      const std::size_t node = fields_.find(message, key);
      if (node == kNone) continue;
      made.parts.push_back({.kind = Part::Kind::kReasoning,
                            .text = fields_.text(node, in(field, key)),
                            .field = in(field, key)});
      return;
    }
  }

  void read_result(std::size_t message, const std::string& field, Message made) {
    Message content;
    read_parts(fields_.find(message, "content"), in(field, "content"), content);
    Part result = result_of(fields_, content, field);
    result.id = fields_.text(fields_.find(message, "tool_call_id"), in(field, "tool_call_id"));
    result.name = tool_called(to_, result.id);
    made.parts.push_back(std::move(result));
    to_.messages.push_back(std::move(made));
  }

  void read_parts(std::size_t content, const std::string& field, Message& made) {
    if (content == kNone) return;
    if (tree_[content].is_string()) {
      made.parts.push_back({.text = std::string(tree_[content].text), .field = field});
      return;
    }
    if (tree_[content].kind != JsonKind::kArray)
      return fields_.refuse(field, "is neither a string nor a list of parts");
    tree_.each_element(content, [&](std::size_t part, std::size_t index) {
      read_part(part, at(field, index), made);
    });
  }

  void read_part(std::size_t part, const std::string& field, Message& made) {
    const std::string_view type = tree_.string_at(part, "type");
    if (type == "text" || type == "refusal") {
      fields_.only(part, field,
                   {"type", "text", "refusal", "cache_control", "prompt_cache_breakpoint"});
      made.parts.push_back(
          {.text = fields_.text(fields_.find(part, type), in(field, type)), .field = field});
      return;
    }
    if (type != "image_url") return fields_.refuse(field, "of this type has no counterpart there");
    fields_.only(part, field, {"type", "image_url", "cache_control", "prompt_cache_breakpoint"});
    const std::size_t image = fields_.find(part, "image_url");
    Part made_part{.kind = Part::Kind::kImage, .field = field};
    const std::string_view url = tree_.string_at(image == kNone ? part : image, "url");
    if (url.empty()) return fields_.refuse(in(field, "image_url.url"), "is not there");
    if (url.starts_with("data:")) {
      if (!read_data_url(url, made_part))
        return fields_.refuse(in(field, "image_url.url"), "is not an image in base64");
    } else {
      made_part.text = url;
    }
    made.parts.push_back(std::move(made_part));
  }

  void read_call(std::size_t call, const std::string& field, Message& made) {
    const std::size_t function = fields_.find(call, "function");
    if (function == kNone) return fields_.refuse(field, "is not the call of a function");
    fields_.only(call, field, {"id", "type", "function", "index", "extra_content"});
    fields_.only(function, in(field, "function"), {"name", "arguments"});
    const std::string arguments = in(field, "function.arguments");
    Part part{.kind = Part::Kind::kCall, .field = field};
    part.id = fields_.text(fields_.find(call, "id"), in(field, "id"));
    part.name = fields_.text(fields_.find(function, "name"), in(field, "function.name"));
    part.arguments =
        fields_.arguments(fields_.text(fields_.find(function, "arguments"), arguments), arguments);
    part.signature = signature_of(call);
    made.parts.push_back(std::move(part));
  }

  // Only Gemini's has a meaning; other extras are for whoever made them.
  std::string signature_of(std::size_t call) const {
    const std::size_t extra = tree_.find(call, "extra_content");
    const std::size_t google = extra == kNone ? kNone : tree_.find(extra, "google");
    return google == kNone ? std::string()
                           : std::string(tree_.string_at(google, "thought_signature"));
  }

  void read_tool(std::size_t tool, const std::string& field) {
    const std::size_t function = fields_.find(tool, "function");
    if (function == kNone || tree_.string_at(tool, "type") != "function")
      return fields_.refuse(field, "is no function, and only functions have a counterpart there");
    fields_.only(tool, field, {"type", "function", "cache_control"});
    to_.tools.push_back(read_function(fields_, function, in(field, "function"), "parameters", {}));
  }

  void read_form(std::size_t value, const std::string& field) {
    using Kind = ReplyForm::Kind;
    const std::string_view type = tree_.string_at(value, "type");
    to_.reply_form.field = field;
    if (type == "json_object") {
      to_.reply_form.kind = Kind::kJson;
    } else if (type == "json_schema") {
      const std::size_t inner = fields_.find(value, "json_schema");
      to_.reply_form.kind = Kind::kSchema;
      to_.reply_form.name =
          fields_.text(fields_.find(inner, "name"), in(field, "json_schema.name"));
      to_.reply_form.schema =
          fields_.object(fields_.find(inner, "schema"), in(field, "json_schema.schema"));
      if (to_.reply_form.schema.empty())
        fields_.refuse(in(field, "json_schema.schema"), "is not there");
    } else if (type != "text") {
      fields_.no_counterpart(field);
    }
  }

  FieldReader fields_;
  const JsonTree& tree_;
  Conversation to_;
};

}  // namespace

Result<Conversation> read_openai(std::string_view body) {
  JsonTree tree;
  AISPM_CHECK(tree.read(body, codec::kMaxJsonDepth));
  return OpenAiReader(tree, body).read();
}

}  // namespace aispm::gateway::translate
