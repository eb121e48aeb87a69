// SPDX-License-Identifier: Apache-2.0
// Anthropic's messages.
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
constexpr std::array<std::string_view, 4> kIgnored = {"metadata", "service_tier", "cache_control",
                                                      "inference_geo"};

constexpr std::array<SettingName, 4> kSettings = {{
    {"max_tokens", &Conversation::max_tokens},
    {"temperature", &Conversation::temperature},
    {"top_p", &Conversation::top_p},
    {"top_k", &Conversation::top_k},
}};

class AnthropicReader {
 public:
  AnthropicReader(const JsonTree& tree, std::string_view body) : fields_(tree, body), tree_(tree) {}

  Result<Conversation> read() {
    read_system(fields_.find(0, "system"));
    tree_.each_member(0, [&](const JsonNode& key, std::size_t value) {
      if (fields_.is_null(value) || fields_.failed() || key.text == "system") return;
      if (!read_settings(key.text, value) && !read_content(key.text, value))
        read_rest(key.text, value);
    });
    AISPM_CHECK(fields_.result());
    // Without thoughts there is nothing that an effort could be for; else it says more than a
    // budget.
    to_.effort =
        thinking_.word == "off" || output_effort_.word.empty() ? thinking_ : output_effort_;
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
    } else if (name == "stop_sequences") {
      to_.stop = fields_.texts(value, field);
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
      read_choice(value, field);
    } else if (name == "thinking") {
      read_thinking(value, field);
    } else if (name == "output_config") {
      read_output(value, field);
    } else if (name == "context_management") {
      read_edits(value, field);
    } else {
      return false;
    }
    return true;
  }

  void read_rest(std::string_view name, std::size_t value) {
    if (std::find(kIgnored.begin(), kIgnored.end(), name) != kIgnored.end()) return;
    if (!fields_.asks_nothing(value)) fields_.no_counterpart(std::string(name));
  }

  void read_system(std::size_t system) {
    if (system == kNone) return;
    Message made{Speaker::kSystem, {}, "system"};
    read_blocks(system, "system", made);
    for (const Part& part : made.parts)
      if (part.kind != Part::Kind::kText) fields_.refuse(part.field, "is not text");
    to_.messages.push_back(std::move(made));
  }

  void read_message(std::size_t message, const std::string& field) {
    const std::string_view role = tree_.string_at(message, "role");
    if (role != "user" && role != "assistant")
      return fields_.refuse(in(field, "role"), "is not a role that can be translated");
    fields_.only(message, field, {"role", "content"});
    Message made{role == "user" ? Speaker::kUser : Speaker::kAssistant, {}, field};
    read_blocks(fields_.find(message, "content"), in(field, "content"), made);
    to_.messages.push_back(std::move(made));
  }

  void read_blocks(std::size_t content, const std::string& field, Message& made) {
    if (content == kNone) return;
    if (tree_[content].is_string()) {
      made.parts.push_back({.text = std::string(tree_[content].text), .field = field});
      return;
    }
    if (tree_[content].kind != JsonKind::kArray)
      return fields_.refuse(field, "is neither a string nor a list of blocks");
    tree_.each_element(content, [&](std::size_t block, std::size_t index) {
      read_block(block, at(field, index), made);
    });
  }

  void read_block(std::size_t block, const std::string& field, Message& made) {
    const std::string_view type = tree_.string_at(block, "type");
    if (type == "text") {
      fields_.only(block, field, {"type", "text", "cache_control"});
      made.parts.push_back(
          {.text = fields_.text(fields_.find(block, "text"), in(field, "text")), .field = field});
    } else if (type == "thinking") {
      made.parts.push_back({.kind = Part::Kind::kReasoning,
                            .text = std::string(tree_.string_at(block, "thinking")),
                            .signature = unmarked_signature(tree_.string_at(block, "signature")),
                            .field = field});
    } else if (type == "redacted_thinking") {
      return;  // nobody but its provider can read it
    } else if (type == "image") {
      read_image(block, field, made);
    } else if (type == "tool_use") {
      fields_.only(block, field, {"type", "id", "name", "input", "cache_control", "caller"});
      Part part{.kind = Part::Kind::kCall, .field = field};
      part.id = tree_.string_at(block, "id");
      part.name = tree_.string_at(block, "name");
      part.arguments = fields_.object(fields_.find(block, "input"), in(field, "input"));
      if (part.arguments.empty()) part.arguments = "{}";
      if (!made.parts.empty() && made.parts.back().kind == Part::Kind::kReasoning)
        part.signature = made.parts.back().signature;
      made.parts.push_back(std::move(part));
    } else if (type == "tool_result") {
      read_result(block, field, made);
    } else {
      fields_.refuse(field, "of this type has no counterpart there");
    }
  }

  void read_image(std::size_t block, const std::string& field, Message& made) {
    fields_.only(block, field, {"type", "source", "cache_control"});
    const std::size_t source = fields_.find(block, "source");
    Part part{.kind = Part::Kind::kImage, .field = field};
    const std::string_view type =
        source == kNone ? std::string_view{} : tree_.string_at(source, "type");
    if (type == "base64") {
      part.media_type = tree_.string_at(source, "media_type");
      part.text = tree_.string_at(source, "data");
    } else if (type == "url") {
      part.text = tree_.string_at(source, "url");
    }
    if (part.text.empty() || (type == "base64" && part.media_type.empty()))
      return fields_.refuse(in(field, "source"), "is neither base64 nor a URL");
    made.parts.push_back(std::move(part));
  }

  // `is_error` has no counterpart; what went wrong says the text.
  void read_result(std::size_t block, const std::string& field, Message& made) {
    fields_.only(block, field, {"type", "tool_use_id", "content", "is_error", "cache_control"});
    Message content;
    read_blocks(fields_.find(block, "content"), in(field, "content"), content);
    Part result = result_of(fields_, content, field);
    result.id = tree_.string_at(block, "tool_use_id");
    result.name = tool_called(to_, result.id);
    made.parts.push_back(std::move(result));
  }

  void read_tool(std::size_t tool, const std::string& field) {
    const std::string_view type = tree_.string_at(tool, "type");
    if (!type.empty() && type != "custom")
      return fields_.refuse(field, "is the provider's own tool and has no counterpart there");
    to_.tools.push_back(read_function(fields_, tool, field, "input_schema",
                                      {"type", "cache_control", "eager_input_streaming"}));
  }

  void read_choice(std::size_t value, const std::string& field) {
    using Kind = ToolChoice::Kind;
    const std::string_view type = tree_.string_at(value, "type");
    ToolChoice& choice = to_.tool_choice;
    choice.field = field;
    if (type == "auto") choice.kind = Kind::kAuto;
    if (type == "none") choice.kind = Kind::kNone;
    if (type == "any") choice.kind = Kind::kAny;
    if (type == "tool") {
      choice.kind = Kind::kNamed;
      choice.name = fields_.text(fields_.find(value, "name"), in(field, "name"));
    }
    if (choice.kind == Kind::kUnsaid) fields_.no_counterpart(field);
    to_.one_call_field = in(field, "disable_parallel_tool_use");
    to_.one_call_at_a_time =
        fields_.flag(fields_.find(value, "disable_parallel_tool_use"), to_.one_call_field);
  }

  void read_thinking(std::size_t value, const std::string& field) {
    // Tokens for thoughts, in the words that others have for it.
    constexpr std::uint64_t kLowBelow = 4096;
    constexpr std::uint64_t kMediumBelow = 16384;
    const std::string_view type = tree_.string_at(value, "type");
    if (type == "adaptive") return;  // the model decides
    if (type == "disabled") {
      thinking_ = {"off", field};
      return;
    }
    if (type != "enabled") return fields_.no_counterpart(field);
    const std::uint64_t budget = tree_.number_at(value, "budget_tokens").value_or(0);
    const char* word = budget < kLowBelow ? "low" : budget < kMediumBelow ? "medium" : "high";
    thinking_ = {word, field};
  }

  void read_output(std::size_t value, const std::string& field) {
    fields_.only(value, field, {"effort", "format"});
    if (const std::size_t effort = fields_.find(value, "effort"); effort != kNone) {
      const std::string word = fields_.text(effort, in(field, "effort"));
      if (word != "low" && word != "medium" && word != "high" && word != "xhigh")
        fields_.no_counterpart(in(field, "effort"));
      output_effort_ = {word, in(field, "effort")};
    }
    const std::size_t format = fields_.find(value, "format");
    if (format == kNone) return;
    const std::string place = in(field, "format");
    if (tree_.string_at(format, "type") != "json_schema") return fields_.no_counterpart(place);
    to_.reply_form = {ReplyForm::Kind::kSchema, "reply",
                      fields_.object(fields_.find(format, "schema"), in(place, "schema")), place};
    if (to_.reply_form.schema.empty()) fields_.refuse(in(place, "schema"), "is not there");
  }

  // Thoughts of earlier turns are not sent on at all, so what clears them asks for nothing more.
  void read_edits(std::size_t value, const std::string& field) {
    fields_.only(value, field, {"edits"});
    const std::string edits = in(field, "edits");
    tree_.each_element(fields_.list(fields_.find(value, "edits"), edits),
                       [&](std::size_t edit, std::size_t index) {
                         if (!tree_.string_at(edit, "type").starts_with("clear_thinking"))
                           fields_.no_counterpart(at(edits, index));
                       });
  }

  FieldReader fields_;
  const JsonTree& tree_;
  Conversation to_;
  Effort thinking_;       // as "thinking" has it
  Effort output_effort_;  // as "output_config" has it
};

}  // namespace

Result<Conversation> read_anthropic(std::string_view body) {
  JsonTree tree;
  AISPM_CHECK(tree.read(body, codec::kMaxJsonDepth));
  return AnthropicReader(tree, body).read();
}

}  // namespace aispm::gateway::translate
