// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/proxy/translate/conversation.hpp"
#include "sdk/core/codec/json_tree.hpp"

namespace aispm::gateway::translate {

inline constexpr std::size_t kNone = codec::JsonTree::kNone;

// Reads members of a request and remembers the first that cannot be translated: "FIELD: why".
// Getters go on after an error with empty values, so a reader reads top to bottom and asks result()
// at its end.
class FieldReader {
 public:
  FieldReader(const codec::JsonTree& tree, std::string_view body) : tree_(tree), body_(body) {}

  const codec::JsonTree& tree() const { return tree_; }
  bool is_null(std::size_t node) const {
    return node == kNone || tree_[node].kind == codec::JsonKind::kNull;
  }
  // Value of that member; kNone also for null.
  std::size_t find(std::size_t object, std::string_view key) const;
  // The JSON text of a value.
  std::string raw(std::size_t node) const;
  // Null, false, 0, "", [] or {}: said, but nothing is asked for.
  bool asks_nothing(std::size_t node) const;

  std::string text(std::size_t node, const std::string& field);
  bool flag(std::size_t node, const std::string& field);
  Setting number(std::size_t node, const std::string& field);
  std::string object(std::size_t node, const std::string& field);
  // The node itself, when it is an array or not there; else it is refused and kNone.
  std::size_t list(std::size_t node, const std::string& field);
  std::vector<std::string> texts(std::size_t node, const std::string& field);
  // Arguments that come as a JSON text; "" means none.
  std::string arguments(std::string_view json, const std::string& field);

  // Refuses every member of `object` that is not named here and asks for something.
  void only(std::size_t object, const std::string& field,
            std::initializer_list<std::string_view> known);

  void refuse(const std::string& field, std::string_view why);
  void no_counterpart(const std::string& field) { refuse(field, "has no counterpart there"); }
  bool failed() const { return !error_.empty(); }
  Result<> result() const;

 private:
  const codec::JsonTree& tree_;
  std::string_view body_;
  std::string error_;
};

// "messages" and 3: "messages[3]".
std::string at(std::string_view field, std::size_t index);
// "messages[3]" and "content": "messages[3].content"; the key alone within nothing.
std::string in(std::string_view field, std::string_view key);

// Of a tool's arguments: they are put into other JSON, which must be readable again.
inline constexpr std::size_t kMaxArgumentDepth = 56;

// Whether `json` is one JSON object as this gateway reads them: no repeated keys, bounded depth.
bool is_object(std::string_view json);

// Takes the base64 of an image whose type nobody tells: by its first bytes; "" when unknown.
std::string_view sniff_image(std::string_view base64);

// "data:image/png;base64,AAAA" into the image; false for any other URL.
bool read_data_url(std::string_view url, Part& image);

}  // namespace aispm::gateway::translate
