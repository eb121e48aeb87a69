// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/unknown_fields.hpp"

#include <google/protobuf/descriptor.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <vector>

namespace aispm::gateway {
namespace {

namespace json = boost::json;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

const FieldDescriptor* find_field(const Descriptor& type, json::string_view name) {
  const std::string text(name.data(), name.size());
  const auto* field = type.FindFieldByName(text);
  return field != nullptr ? field : type.FindFieldByCamelcaseName(text);
}

void count(json::string_view name, const Descriptor& type, UnknownFields& unknown) {
  if (unknown.fields++ != 0) return;
  unknown.first = type.name() + "." + std::string(name.data(), name.size());
  if (unknown.first.size() > UnknownFields::kMaxNameBytes)
    unknown.first.resize(UnknownFields::kMaxNameBytes);
}

// Numbers are kept: proto3 has open enumerations.
bool is_unknown_word(const json::value& value, const FieldDescriptor& field) {
  const auto* word = value.if_string();
  return word != nullptr && field.type() == FieldDescriptor::TYPE_ENUM &&
         field.enum_type()->FindValueByName(std::string(word->data(), word->size())) == nullptr;
}

// A well-known type (Timestamp) is no object in JSON and is left alone.
void look_into(json::value& value, const FieldDescriptor& field, UnknownFields& unknown) {
  if (field.type() != FieldDescriptor::TYPE_MESSAGE) return;
  if (auto* object = value.if_object()) drop_unknown(*object, *field.message_type(), unknown);
}

void look_into_all(json::array& values, const FieldDescriptor& field, json::string_view name,
                   const Descriptor& type, UnknownFields& unknown) {
  for (auto at = values.begin(); at != values.end();) {
    if (is_unknown_word(*at, field)) {
      count(name, type, unknown);
      at = values.erase(at);
      continue;
    }
    look_into(*at, field, unknown);
    ++at;
  }
}

}  // namespace

void drop_unknown(json::object& object, const Descriptor& type, UnknownFields& unknown) {
  std::vector<std::string> dropped;
  for (auto& [name, value] : object) {
    const FieldDescriptor* field = find_field(type, name);
    if (field == nullptr || is_unknown_word(value, *field)) {
      count(name, type, unknown);
      dropped.emplace_back(name.data(), name.size());
      continue;
    }
    if (field->is_map()) {
      if (auto* entries = value.if_object())
        for (auto& [key, entry] : *entries)
          look_into(entry, *field->message_type()->map_value(), unknown);
    } else if (auto* values = value.if_array()) {
      look_into_all(*values, *field, name, type, unknown);
    } else {
      look_into(value, *field, unknown);
    }
  }
  for (const auto& name : dropped) object.erase(name);
}

}  // namespace aispm::gateway
