// SPDX-License-Identifier: Apache-2.0
// Gemini's generateContent. Both spellings of a name count ("topP", "top_p"), as for its servers.
#include <algorithm>
#include <array>

#include "gateway/proxy/translate/reader_parts.hpp"
#include "gateway/proxy/translate/request_forms.hpp"
#include "sdk/core/codec/json_edit.hpp"
#include "sdk/core/codec/llm.hpp"

namespace aispm::gateway::translate {

using codec::JsonKind;
using codec::JsonNode;
using codec::JsonTree;

namespace {

constexpr std::array<SettingName, 7> kSettings = {{
    {"maxOutputTokens", &Conversation::max_tokens},
    {"temperature", &Conversation::temperature},
    {"topP", &Conversation::top_p},
    {"topK", &Conversation::top_k},
    {"seed", &Conversation::seed},
    {"presencePenalty", &Conversation::presence_penalty, false},
    {"frequencyPenalty", &Conversation::frequency_penalty, false},
}};

// "top_p" as "topP".
std::string camel(std::string_view name) {
  std::string out;
  bool raise = false;
  for (const char c : name) {
    if (c == '_' && !out.empty()) {
      raise = true;
      continue;
    }
    out.push_back(
        std::exchange(raise, false) && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
  }
  return out;
}

class GeminiReader {
 public:
  GeminiReader(const JsonTree& tree, std::string_view body) : fields_(tree, body), tree_(tree) {}

  Result<Conversation> read() {
    read_system(find(0, "systemInstruction"));
    tree_.each_member(0, [&](const JsonNode& key, std::size_t value) {
      if (!fields_.is_null(value) && !fields_.failed()) read_member(camel(key.text), value);
    });
    AISPM_CHECK(fields_.result());
    return std::move(to_);
  }

 private:
  std::size_t find(std::size_t object, std::string_view name) const {
    std::size_t found = kNone;
    if (object == kNone || tree_[object].kind != JsonKind::kObject) return found;
    tree_.each_member(object, [&](const JsonNode& key, std::size_t value) {
      if (found == kNone && camel(key.text) == name && !fields_.is_null(value)) found = value;
    });
    return found;
  }
  std::string text_at(std::size_t object, std::string_view name, const std::string& field) {
    return fields_.text(find(object, name), in(field, name));
  }
  void only(std::size_t object, const std::string& field,
            std::initializer_list<std::string_view> known) {
    tree_.each_member(object, [&](const JsonNode& key, std::size_t value) {
      const std::string name = camel(key.text);
      if (std::find(known.begin(), known.end(), name) != known.end()) return;
      if (!fields_.asks_nothing(value)) fields_.no_counterpart(in(field, key.text));
    });
  }

  void read_member(const std::string& name, std::size_t value) {
    if (name == "contents") {
      if (tree_[value].kind == JsonKind::kObject) return read_content(value, name);
      tree_.each_element(fields_.list(value, name), [&](std::size_t content, std::size_t index) {
        read_content(content, at(name, index));
      });
    } else if (name == "tools") {
      tree_.each_element(fields_.list(value, name), [&](std::size_t tool, std::size_t index) {
        read_tool(tool, at(name, index));
      });
    } else if (name == "toolConfig") {
      read_choice(value, name);
    } else if (name == "generationConfig") {
      tree_.each_member(value, [&](const JsonNode& key, std::size_t one) {
        if (!fields_.is_null(one)) read_setting(camel(key.text), one);
      });
      finish_form();
    } else if (name == "safetySettings") {
      read_safety(value, name);
    } else if (name == "model") {
      to_.model = fields_.text(value, name);
    } else if (name != "systemInstruction" && name != "labels" && !fields_.asks_nothing(value)) {
      fields_.no_counterpart(name);
    }
  }

  // That nothing is to be filtered asks for nothing.
  void read_safety(std::size_t value, const std::string& field) {
    tree_.each_element(fields_.list(value, field), [&](std::size_t one, std::size_t index) {
      const std::string_view threshold = tree_.string_at(one, "threshold");
      if (threshold != "BLOCK_NONE" && threshold != "OFF") fields_.no_counterpart(at(field, index));
    });
  }

  void read_system(std::size_t system) {
    if (system == kNone) return;
    Message made{Speaker::kSystem, {}, "systemInstruction"};
    if (tree_[system].is_string())
      made.parts.push_back({.text = std::string(tree_[system].text), .field = made.field});
    else
      read_parts(system, made.field, made);
    for (const Part& part : made.parts)
      if (part.kind != Part::Kind::kText) fields_.refuse(part.field, "is not text");
    to_.messages.push_back(std::move(made));
  }

  void read_content(std::size_t content, const std::string& field) {
    only(content, field, {"role", "parts"});
    const std::string_view role = tree_.string_at(content, "role");
    if (!role.empty() && role != "user" && role != "model" && role != "function")
      return fields_.refuse(in(field, "role"), "is not a role that can be translated");
    Message made{role == "model" ? Speaker::kAssistant : Speaker::kUser, {}, field};
    if (made.speaker == Speaker::kAssistant) open_calls_.clear();
    read_parts(content, field, made);
    to_.messages.push_back(std::move(made));
  }

  void read_parts(std::size_t content, const std::string& field, Message& made) {
    const std::string place = in(field, "parts");
    const std::size_t parts = find(content, "parts");
    if (parts != kNone && tree_[parts].kind == JsonKind::kObject)
      return read_part(parts, place, made);
    tree_.each_element(fields_.list(parts, place), [&](std::size_t part, std::size_t index) {
      read_part(part, at(place, index), made);
    });
  }

  void read_part(std::size_t part, const std::string& field, Message& made) {
    only(part, field,
         {"text", "thought", "thoughtSignature", "inlineData", "fileData", "functionCall",
          "functionResponse"});
    const bool is_thought = fields_.flag(find(part, "thought"), in(field, "thought"));
    if (const std::size_t text = find(part, "text"); text != kNone)
      made.parts.push_back({.kind = is_thought ? Part::Kind::kReasoning : Part::Kind::kText,
                            .text = fields_.text(text, in(field, "text")),
                            .field = field});
    if (const std::size_t data = find(part, "inlineData"); data != kNone)
      read_image(data, in(field, "inlineData"), "data", made);
    if (const std::size_t file = find(part, "fileData"); file != kNone)
      read_image(file, in(field, "fileData"), "fileUri", made);
    if (const std::size_t call = find(part, "functionCall"); call != kNone)
      read_call(call, in(field, "functionCall"), made);
    if (const std::size_t result = find(part, "functionResponse"); result != kNone)
      read_result(result, in(field, "functionResponse"), made);
  }

  void read_image(std::size_t data, const std::string& field, std::string_view key, Message& made) {
    only(data, field, {"mimeType", key, "displayName"});
    Part image{.kind = Part::Kind::kImage, .text = text_at(data, key, field), .field = field};
    const std::string type = text_at(data, "mimeType", field);
    const bool is_url = key == "fileUri";
    if (!(is_url && type.empty()) && !type.starts_with("image/"))
      return fields_.refuse(in(field, "mimeType"),
                            "is no image, and only images can be translated");
    if (is_url && !image.text.starts_with("https://"))
      return fields_.refuse(in(field, key), "is a file of the provider's own");
    if (!is_url) image.media_type = type;
    made.parts.push_back(std::move(image));
  }

  void read_call(std::size_t call, const std::string& field, Message& made) {
    only(call, field, {"id", "name", "args"});
    Part part{.kind = Part::Kind::kCall, .field = field};
    part.id = text_at(call, "id", field);
    if (part.id.empty()) part.id = "call_" + std::to_string(++made_ids_);
    part.name = text_at(call, "name", field);
    part.arguments = fields_.object(find(call, "args"), in(field, "args"));
    if (part.arguments.empty()) part.arguments = "{}";
    open_calls_.push_back({part.id, part.name});
    made.parts.push_back(std::move(part));
  }

  // Without ids a result belongs to the first call of its function that has none yet.
  void read_result(std::size_t result, const std::string& field, Message& made) {
    only(result, field, {"id", "name", "response", "willContinue", "scheduling"});
    const std::string id = text_at(result, "id", field);
    const std::string name = text_at(result, "name", field);
    const auto call = std::find_if(open_calls_.begin(), open_calls_.end(), [&](const Open& open) {
      return (id.empty() || open.id == id) && open.name == name;
    });
    if (call == open_calls_.end())
      return fields_.refuse(field, "is the result of no call in the message before it");
    Part part{.kind = Part::Kind::kResult, .id = call->id, .name = call->name, .field = field};
    part.text = fields_.object(find(result, "response"), in(field, "response"));
    open_calls_.erase(call);
    made.parts.push_back(std::move(part));
  }

  void read_tool(std::size_t tool, const std::string& field) {
    only(tool, field, {"functionDeclarations"});
    const std::string place = in(field, "functionDeclarations");
    tree_.each_element(
        fields_.list(find(tool, "functionDeclarations"), place),
        [&](std::size_t one, std::size_t index) { read_declaration(one, at(place, index)); });
  }

  void read_declaration(std::size_t one, const std::string& field) {
    only(one, field,
         {"name", "description", "parameters", "parametersJsonSchema", "response",
          "responseJsonSchema", "behavior"});
    Tool made;
    made.name = text_at(one, "name", field);
    made.description = text_at(one, "description", field);
    made.schema =
        fields_.object(find(one, "parametersJsonSchema"), in(field, "parametersJsonSchema"));
    if (const std::size_t own = find(one, "parameters"); own != kNone)
      made.schema = json_schema(own, in(field, "parameters"));
    to_.tools.push_back(std::move(made));
  }

  // Google's schemas are JSON Schema but for the words of types, which are in capitals there.
  std::string json_schema(std::size_t node, const std::string& field) {
    (void)fields_.object(node, field);
    const std::size_t begin = tree_[node].begin;
    std::vector<codec::JsonPatch> patches;
    lower_types(node, begin, patches);
    auto made = codec::apply_patches(fields_.raw(node), std::move(patches));
    if (made) return *made;
    fields_.refuse(field, made.error().message);
    return {};
  }
  void lower_types(std::size_t node, std::size_t begin, std::vector<codec::JsonPatch>& patches) {
    if (tree_[node].kind == JsonKind::kArray)
      tree_.each_element(node,
                         [&](std::size_t item, std::size_t) { lower_types(item, begin, patches); });
    if (tree_[node].kind != JsonKind::kObject) return;
    tree_.each_member(node, [&](const JsonNode& key, std::size_t value) {
      if (key.text != "type" || !tree_[value].is_string())
        return lower_types(value, begin, patches);
      std::string word(tree_[value].text);
      for (char& c : word)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
      const codec::JsonSpan span{tree_[value].begin - begin, tree_[value].end - begin};
      patches.push_back(codec::string_patch(span, word));
    });
  }

  void read_choice(std::size_t value, const std::string& field) {
    using Kind = ToolChoice::Kind;
    only(value, field, {"functionCallingConfig"});
    const std::size_t config = find(value, "functionCallingConfig");
    if (config == kNone) return;
    const std::string place = in(field, "functionCallingConfig");
    only(config, place, {"mode", "allowedFunctionNames"});
    const std::string mode = text_at(config, "mode", place);
    to_.tool_choice.field = place;
    if (mode.empty() || mode == "AUTO" || mode == "MODE_UNSPECIFIED")
      to_.tool_choice.kind = Kind::kAuto;
    if (mode == "NONE") to_.tool_choice.kind = Kind::kNone;
    if (mode == "ANY") to_.tool_choice.kind = Kind::kAny;
    if (to_.tool_choice.kind == Kind::kUnsaid) fields_.no_counterpart(in(place, "mode"));
    const auto names =
        fields_.texts(find(config, "allowedFunctionNames"), in(place, "allowedFunctionNames"));
    if (names.empty()) return;
    if (names.size() > 1 || mode != "ANY")
      return fields_.no_counterpart(in(place, "allowedFunctionNames"));
    to_.tool_choice.kind = Kind::kNamed;
    to_.tool_choice.name = names.front();
  }

  void read_setting(const std::string& name, std::size_t value) {
    const std::string field = in("generationConfig", name);
    if (take_setting(fields_, kSettings, name, value, field, to_)) return;
    if (name == "stopSequences") {
      to_.stop = fields_.texts(value, field);
    } else if (name == "candidateCount" && tree_.number(value) == 1) {
      return;
    } else if (name == "responseMimeType") {
      mime_ = fields_.text(value, field);
      to_.reply_form.field = field;
    } else if (name == "responseSchema") {
      schema_ = json_schema(value, field);
    } else if (name == "responseJsonSchema") {
      schema_ = fields_.object(value, field);
    } else if (name == "thinkingConfig") {
      read_thinking(value, field);
    } else if (name == "responseModalities") {
      for (const std::string& one : fields_.texts(value, field))
        if (one != "TEXT") fields_.no_counterpart(field);
    } else if (!fields_.asks_nothing(value)) {
      fields_.no_counterpart(field);
    }
  }

  void finish_form() {
    if (mime_ == "application/json")
      to_.reply_form.kind = schema_.empty() ? ReplyForm::Kind::kJson : ReplyForm::Kind::kSchema;
    else if (!mime_.empty() && mime_ != "text/plain")
      fields_.no_counterpart(to_.reply_form.field);
    to_.reply_form.name = "reply";
    to_.reply_form.schema = schema_;
  }

  void read_thinking(std::size_t value, const std::string& field) {
    constexpr std::uint64_t kLowBelow = 4096;
    constexpr std::uint64_t kMediumBelow = 16384;
    only(value, field, {"thinkingBudget", "includeThoughts", "thinkingLevel"});
    if (const std::size_t level = find(value, "thinkingLevel"); level != kNone) {
      std::string word = fields_.text(level, in(field, "thinkingLevel"));
      for (char& c : word)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
      if (word != "minimal" && word != "low" && word != "medium" && word != "high")
        fields_.no_counterpart(in(field, "thinkingLevel"));
      to_.effort = {word, field};
      return;
    }
    const std::size_t budget = find(value, "thinkingBudget");
    if (budget == kNone) return;
    const auto tokens = tree_.number(budget);
    if (!tokens) return;  // -1: the model decides
    const char* const word = *tokens == 0             ? "off"
                             : *tokens < kLowBelow    ? "low"
                             : *tokens < kMediumBelow ? "medium"
                                                      : "high";
    to_.effort = {word, field};
  }

  struct Open {
    std::string id;
    std::string name;
  };
  FieldReader fields_;
  const JsonTree& tree_;
  Conversation to_;
  std::string mime_;
  std::string schema_;
  std::vector<Open> open_calls_;  // of the last message of the model: without a result yet
  std::size_t made_ids_ = 0;
};

}  // namespace

Result<Conversation> read_gemini(std::string_view body) {
  JsonTree tree;
  AISPM_CHECK(tree.read(body, codec::kMaxJsonDepth));
  return GeminiReader(tree, body).read();
}

}  // namespace aispm::gateway::translate
