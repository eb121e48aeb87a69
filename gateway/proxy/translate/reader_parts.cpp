// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/translate/reader_parts.hpp"

#include <algorithm>
#include <array>

namespace aispm::gateway::translate {

bool take_setting(FieldReader& fields, std::span<const SettingName> names, std::string_view name,
                  std::size_t value, const std::string& field, Conversation& to) {
  const auto known = std::find_if(names.begin(), names.end(),
                                  [&](const SettingName& one) { return one.name == name; });
  if (known == names.end()) return false;
  Setting& place = to.*known->place;
  if (!known->may_be_zero && fields.asks_nothing(value)) return true;
  if (place.given()) fields.refuse(field, "says again what another field says");
  place = fields.number(value, field);
  return true;
}

Tool read_function(FieldReader& fields, std::size_t node, const std::string& field,
                   std::string_view schema_key, std::initializer_list<std::string_view> ignored) {
  const codec::JsonTree& tree = fields.tree();
  tree.each_member(node, [&](const codec::JsonNode& key, std::size_t value) {
    constexpr std::array<std::string_view, 3> kKnown = {"name", "description", "strict"};
    if (key.text == schema_key || std::find(kKnown.begin(), kKnown.end(), key.text) != kKnown.end())
      return;
    if (std::find(ignored.begin(), ignored.end(), key.text) != ignored.end()) return;
    if (!fields.asks_nothing(value)) fields.no_counterpart(in(field, key.text));
  });
  Tool made;
  made.name = fields.text(fields.find(node, "name"), in(field, "name"));
  made.description = fields.text(fields.find(node, "description"), in(field, "description"));
  made.schema = fields.object(fields.find(node, schema_key), in(field, schema_key));
  made.strict = fields.flag(fields.find(node, "strict"), in(field, "strict"));
  return made;
}

ToolChoice read_word_choice(FieldReader& fields, std::size_t value, const std::string& field,
                            std::size_t name, const std::string& name_field) {
  using Kind = ToolChoice::Kind;
  const codec::JsonTree& tree = fields.tree();
  ToolChoice choice;
  choice.field = field;
  if (tree[value].is_string()) {
    const std::string_view word = tree[value].text;
    if (word == "auto") choice.kind = Kind::kAuto;
    if (word == "none") choice.kind = Kind::kNone;
    if (word == "required") choice.kind = Kind::kAny;
  } else if (const std::string_view type = tree.string_at(value, "type");
             type == "function" || type == "custom") {
    choice.kind = Kind::kNamed;
    choice.name = fields.text(name, name_field);
  }
  if (choice.kind == Kind::kUnsaid) fields.no_counterpart(field);
  return choice;
}

Effort read_effort_word(FieldReader& fields, std::size_t value, const std::string& field) {
  constexpr std::array<std::string_view, 6> kWords = {"minimal", "low",   "medium",
                                                      "high",    "xhigh", "none"};
  const std::string word = fields.text(value, field);
  if (std::find(kWords.begin(), kWords.end(), word) == kWords.end()) fields.no_counterpart(field);
  return {word == "none" ? "off" : word, field};
}

Part result_of(FieldReader& fields, const Message& content, const std::string& field) {
  Part result{.kind = Part::Kind::kResult, .field = field};
  for (const Part& part : content.parts) {
    if (part.kind != Part::Kind::kText)
      fields.refuse(part.field, "is not text, and the result of a tool must be");
    result.text += part.text;
  }
  return result;
}

std::string tool_called(const Conversation& conversation, std::string_view id) {
  const auto& all = conversation.messages;
  for (auto message = all.rbegin(); message != all.rend(); ++message)
    for (const Part& part : message->parts)
      if (part.kind == Part::Kind::kCall && part.id == id) return part.name;
  return {};
}

std::string flat_name(std::string_view space, std::string_view name) {
  return space.empty() ? std::string(name) : std::string(space).append("__").append(name);
}

}  // namespace aispm::gateway::translate
