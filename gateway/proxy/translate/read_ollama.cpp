// SPDX-License-Identifier: Apache-2.0
// Ollama's chat.
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

// How a model is loaded and run on a machine of one's own. docs/operate.md names them.
constexpr std::array<std::string_view, 11> kIgnoredOptions = {
    "num_ctx",   "num_batch",  "num_gpu",  "main_gpu", "low_vram", "use_mmap",
    "use_mlock", "num_thread", "num_keep", "numa",     "f16_kv"};

constexpr std::array<SettingName, 6> kSettings = {{
    {"temperature", &Conversation::temperature},
    {"top_p", &Conversation::top_p},
    {"top_k", &Conversation::top_k},
    {"seed", &Conversation::seed},
    {"presence_penalty", &Conversation::presence_penalty, false},
    {"frequency_penalty", &Conversation::frequency_penalty, false},
}};

class OllamaReader {
 public:
  OllamaReader(const JsonTree& tree, std::string_view body) : fields_(tree, body), tree_(tree) {}

  Result<Conversation> read() {
    to_.stream = fields_.find(0, "stream") == kNone;  // the default
    tree_.each_member(0, [&](const JsonNode& key, std::size_t value) {
      if (!fields_.is_null(value) && !fields_.failed()) read_member(key.text, value);
    });
    AISPM_CHECK(fields_.result());
    return std::move(to_);
  }

 private:
  void read_member(std::string_view name, std::size_t value) {
    const std::string field(name);
    if (name == "model") {
      to_.model = fields_.text(value, field);
    } else if (name == "stream") {
      to_.stream = fields_.flag(value, field);
    } else if (name == "messages") {
      tree_.each_element(fields_.list(value, field), [&](std::size_t message, std::size_t index) {
        read_message(message, at(field, index));
      });
    } else if (name == "tools") {
      tree_.each_element(fields_.list(value, field), [&](std::size_t tool, std::size_t index) {
        read_tool(tool, at(field, index));
      });
    } else if (name == "options") {
      tree_.each_member(value, [&](const JsonNode& key, std::size_t option) {
        if (!fields_.is_null(option)) read_option(key.text, option);
      });
    } else if (name == "format") {
      read_form(value, field);
    } else if (name == "think") {
      read_think(value, field);
    } else if (name != "keep_alive" && !fields_.asks_nothing(value)) {
      fields_.no_counterpart(field);
    }
  }

  void read_option(std::string_view name, std::size_t value) {
    const std::string field = in("options", name);
    if (take_setting(fields_, kSettings, name, value, field, to_)) return;
    if (name == "num_predict") {
      // -1 and -2: as much as there is.
      if (tree_.number(value)) to_.max_tokens = fields_.number(value, field);
    } else if (name == "stop") {
      to_.stop = fields_.texts(value, field);
    } else if (std::find(kIgnoredOptions.begin(), kIgnoredOptions.end(), name) ==
                   kIgnoredOptions.end() &&
               !fields_.asks_nothing(value)) {
      fields_.no_counterpart(field);
    }
  }

  void read_message(std::size_t message, const std::string& field) {
    const std::string_view role = tree_.string_at(message, "role");
    Message made{Speaker::kUser, {}, field};
    if (role == "system") {
      made.speaker = Speaker::kSystem;
    } else if (role == "assistant") {
      made.speaker = Speaker::kAssistant;
    } else if (role == "tool") {
      made.speaker = Speaker::kTool;
    } else if (role != "user") {
      return fields_.refuse(in(field, "role"), "is not a role that can be translated");
    }
    fields_.only(message, field,
                 {"role", "content", "thinking", "images", "tool_calls", "tool_name", "name",
                  "tool_call_id"});
    if (made.speaker == Speaker::kTool) return read_result(message, field, std::move(made));
    if (const std::size_t thought = fields_.find(message, "thinking"); thought != kNone)
      made.parts.push_back({.kind = Part::Kind::kReasoning,
                            .text = fields_.text(thought, in(field, "thinking")),
                            .field = in(field, "thinking")});
    if (const std::size_t content = fields_.find(message, "content"); content != kNone)
      made.parts.push_back(
          {.text = fields_.text(content, in(field, "content")), .field = in(field, "content")});
    read_images(fields_.find(message, "images"), in(field, "images"), made);
    const std::string calls = in(field, "tool_calls");
    if (fields_.find(message, "tool_calls") != kNone) open_calls_.clear();
    tree_.each_element(
        fields_.list(fields_.find(message, "tool_calls"), calls),
        [&](std::size_t call, std::size_t i) { read_call(call, at(calls, i), made); });
    to_.messages.push_back(std::move(made));
  }

  void read_images(std::size_t images, const std::string& field, Message& made) {
    tree_.each_element(fields_.list(images, field), [&](std::size_t image, std::size_t index) {
      const std::string place = at(field, index);
      Part part{.kind = Part::Kind::kImage, .text = fields_.text(image, place), .field = place};
      part.media_type = sniff_image(part.text);
      if (part.media_type.empty())
        return fields_.refuse(place,
                              "is no PNG, JPEG, GIF or WebP, and its type must be told there");
      made.parts.push_back(std::move(part));
    });
  }

  // Without ids a result belongs to the first call of its tool that has none yet.
  void read_call(std::size_t call, const std::string& field, Message& made) {
    const std::size_t function = fields_.find(call, "function");
    if (function == kNone) return fields_.refuse(field, "is not the call of a function");
    Part part{.kind = Part::Kind::kCall, .field = field};
    part.id = tree_.string_at(call, "id");
    if (part.id.empty()) part.id = "call_" + std::to_string(++made_ids_);
    part.name = fields_.text(fields_.find(function, "name"), in(field, "function.name"));
    part.arguments =
        fields_.object(fields_.find(function, "arguments"), in(field, "function.arguments"));
    if (part.arguments.empty()) part.arguments = "{}";
    open_calls_.push_back({part.id, part.name});
    made.parts.push_back(std::move(part));
  }

  void read_result(std::size_t message, const std::string& field, Message made) {
    if (fields_.find(message, "images") != kNone) fields_.no_counterpart(in(field, "images"));
    std::string_view tool = tree_.string_at(message, "tool_name");
    if (tool.empty()) tool = tree_.string_at(message, "name");
    const std::string_view id = tree_.string_at(message, "tool_call_id");
    const auto call = std::find_if(open_calls_.begin(), open_calls_.end(), [&](const Open& open) {
      return (id.empty() || open.id == id) && (tool.empty() || open.name == tool);
    });
    if (call == open_calls_.end())
      return fields_.refuse(field, "is the result of no call in the message before it");
    Part result{.kind = Part::Kind::kResult,
                .text = fields_.text(fields_.find(message, "content"), in(field, "content")),
                .id = call->id,
                .name = call->name,
                .field = field};
    open_calls_.erase(call);
    made.parts.push_back(std::move(result));
    to_.messages.push_back(std::move(made));
  }

  void read_tool(std::size_t tool, const std::string& field) {
    const std::size_t function = fields_.find(tool, "function");
    if (function == kNone)
      return fields_.refuse(field, "is no function, and only functions have a counterpart there");
    to_.tools.push_back(read_function(fields_, function, in(field, "function"), "parameters", {}));
  }

  void read_form(std::size_t value, const std::string& field) {
    if (fields_.asks_nothing(value)) return;
    if (tree_[value].is_string() && tree_[value].text == "json") {
      to_.reply_form = {ReplyForm::Kind::kJson, {}, {}, field};
    } else {
      to_.reply_form = {ReplyForm::Kind::kSchema, "reply", fields_.object(value, field), field};
    }
  }

  void read_think(std::size_t value, const std::string& field) {
    if (!tree_[value].is_string()) {
      to_.effort = {fields_.flag(value, field) ? "on" : "off", field};
      return;
    }
    const std::string word(tree_[value].text);
    if (word != "low" && word != "medium" && word != "high") fields_.no_counterpart(field);
    to_.effort = {word, field};
  }

  struct Open {
    std::string id;
    std::string name;
  };
  FieldReader fields_;
  const JsonTree& tree_;
  Conversation to_;
  std::vector<Open> open_calls_;  // of the last message that has calls: without a result yet
  std::size_t made_ids_ = 0;
};

}  // namespace

Result<Conversation> read_ollama(std::string_view body) {
  JsonTree tree;
  AISPM_CHECK(tree.read(body, codec::kMaxJsonDepth));
  return OllamaReader(tree, body).read();
}

}  // namespace aispm::gateway::translate
