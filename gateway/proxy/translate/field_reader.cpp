// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/translate/field_reader.hpp"

#include <algorithm>

#include "sdk/core/codec/llm.hpp"

namespace aispm::gateway::translate {

using codec::JsonKind;

namespace {

// A field's name comes from the client: enough of it to be found again.
constexpr std::size_t kMaxFieldBytes = 128;

}  // namespace

std::size_t FieldReader::find(std::size_t object, std::string_view key) const {
  const std::size_t node = object == kNone ? kNone : tree_.find(object, key);
  return is_null(node) ? kNone : node;
}

std::string FieldReader::raw(std::size_t node) const {
  if (node == kNone) return {};
  const codec::JsonSpan span = tree_[node].span();
  return std::string(body_.substr(span.begin, span.size()));
}

bool FieldReader::asks_nothing(std::size_t node) const {
  if (is_null(node)) return true;
  const codec::JsonNode& value = tree_[node];
  switch (value.kind) {
    case JsonKind::kString:
      return value.text.empty();
    case JsonKind::kArray:
    case JsonKind::kObject:
      return value.next == node + 1;
    case JsonKind::kNumber:
      return value.text.find_first_of("123456789") == std::string_view::npos;
    default:
      return value.kind == JsonKind::kFalse;
  }
}

std::string FieldReader::text(std::size_t node, const std::string& field) {
  if (node == kNone) return {};
  if (tree_[node].is_string()) return std::string(tree_[node].text);
  refuse(field, "is not a string");
  return {};
}

bool FieldReader::flag(std::size_t node, const std::string& field) {
  if (is_null(node)) return false;
  const JsonKind kind = tree_[node].kind;
  if (kind != JsonKind::kTrue && kind != JsonKind::kFalse) refuse(field, "is not true or false");
  return kind == JsonKind::kTrue;
}

Setting FieldReader::number(std::size_t node, const std::string& field) {
  if (is_null(node)) return {};
  if (tree_[node].kind != JsonKind::kNumber) {
    refuse(field, "is not a number");
    return {};
  }
  return {raw(node), field};
}

std::string FieldReader::object(std::size_t node, const std::string& field) {
  if (is_null(node)) return {};
  if (tree_[node].kind == JsonKind::kObject) return raw(node);
  refuse(field, "is not an object");
  return {};
}

std::size_t FieldReader::list(std::size_t node, const std::string& field) {
  if (is_null(node)) return kNone;
  if (tree_[node].kind == JsonKind::kArray) return node;
  refuse(field, "is not a list");
  return kNone;
}

std::vector<std::string> FieldReader::texts(std::size_t node, const std::string& field) {
  std::vector<std::string> all;
  if (is_null(node)) return all;
  if (tree_[node].is_string()) {
    all.emplace_back(tree_[node].text);
    return all;
  }
  if (tree_[node].kind != JsonKind::kArray) refuse(field, "is neither a string nor a list of them");
  tree_.each_element(node, [&](std::size_t item, std::size_t index) {
    all.push_back(text(item, at(field, index)));
  });
  return all;
}

std::string FieldReader::arguments(std::string_view json, const std::string& field) {
  if (json.empty()) return "{}";
  if (!is_object(json)) refuse(field, "holds no JSON object, and there it must");
  return std::string(json);
}

void FieldReader::only(std::size_t object, const std::string& field,
                       std::initializer_list<std::string_view> known) {
  tree_.each_member(object, [&](const codec::JsonNode& key, std::size_t value) {
    if (std::find(known.begin(), known.end(), key.text) != known.end()) return;
    if (!asks_nothing(value)) no_counterpart(in(field, key.text));
  });
}

void FieldReader::refuse(const std::string& field, std::string_view why) {
  if (failed()) return;
  error_ = field.substr(0, kMaxFieldBytes) + ": " + std::string(why);
}

Result<> FieldReader::result() const {
  if (failed()) return fail(Errc::kInvalid, error_);
  return {};
}

std::string at(std::string_view field, std::size_t index) {
  return std::string(field) + "[" + std::to_string(index) + "]";
}

std::string in(std::string_view field, std::string_view key) {
  if (field.empty()) return std::string(key);
  return std::string(field).append(".").append(key);
}

bool is_object(std::string_view json) {
  codec::JsonTree tree;
  return tree.read(json, kMaxArgumentDepth).has_value();
}

std::string_view sniff_image(std::string_view base64) {
  if (base64.starts_with("iVBORw0KGgo")) return "image/png";
  if (base64.starts_with("/9j/")) return "image/jpeg";
  if (base64.starts_with("R0lGOD")) return "image/gif";
  if (base64.starts_with("UklGR")) return "image/webp";
  return {};
}

bool read_data_url(std::string_view url, Part& image) {
  constexpr std::string_view kScheme = "data:";
  constexpr std::string_view kCoding = ";base64,";
  const auto coding = url.find(kCoding);
  if (!url.starts_with(kScheme) || coding == std::string_view::npos) return false;
  image.media_type = url.substr(kScheme.size(), coding - kScheme.size());
  image.text = url.substr(coding + kCoding.size());
  return image.media_type.starts_with("image/");
}

}  // namespace aispm::gateway::translate
