// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "gateway/proxy/translate/conversation.hpp"
#include "gateway/proxy/translate/field_reader.hpp"

// What the readers of requests have in common.
namespace aispm::gateway::translate {

// A number that a protocol has under this name.
struct SettingName {
  std::string_view name;
  Setting Conversation::*place;
  bool may_be_zero = true;  // false: 0 asks for nothing
};
// Takes `value` where `name` is one of them; false: it is none.
bool take_setting(FieldReader& fields, std::span<const SettingName> names, std::string_view name,
                  std::size_t value, const std::string& field, Conversation& to);

// A function that a model may call: name, description, `strict`, and its schema under that key.
// Other members are refused, but for `ignored`.
Tool read_function(FieldReader& fields, std::size_t node, const std::string& field,
                   std::string_view schema_key, std::initializer_list<std::string_view> ignored);

// "auto", "none", "required", or {"type": "function"} with the name where `name` stands.
ToolChoice read_word_choice(FieldReader& fields, std::size_t value, const std::string& field,
                            std::size_t name, const std::string& name_field);

// A word for how much is thought, as OpenAI has them.
Effort read_effort_word(FieldReader& fields, std::size_t value, const std::string& field);

// The result of a tool out of the parts of its content, which must be text.
Part result_of(FieldReader& fields, const Message& content, const std::string& field);

// The name of the tool that was called by that id; "": by none.
std::string tool_called(const Conversation& conversation, std::string_view id);

// The function that stands for a tool of a namespace where there are none.
inline constexpr std::size_t kMaxToolName = 64;
std::string flat_name(std::string_view space, std::string_view name);

}  // namespace aispm::gateway::translate
