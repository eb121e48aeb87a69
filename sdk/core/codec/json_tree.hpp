// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "sdk/core/codec/json_edit.hpp"
#include "sdk/core/common/result.hpp"

namespace aispm::codec {

enum class JsonKind : std::uint8_t { kObject, kArray, kString, kNumber, kTrue, kFalse, kNull };

struct JsonNode {
  JsonKind kind = JsonKind::kNull;
  bool is_key = false;
  std::uint32_t begin = 0;  // token or whole value in the text, quotes and brackets included
  std::uint32_t end = 0;
  std::uint32_t next = 0;  // index of the first node after this value and all inside it
  std::string_view text;   // strings: decoded. numbers: as written

  JsonSpan span() const { return {begin, end}; }
  bool is_string() const { return kind == JsonKind::kString; }
};

// A whole JSON object, read once, as a flat list in document order with the span of every token. A
// member is its key node followed by its value's nodes, so the subtree of node i is [i,
// nodes[i].next). Refuses what RFC 8259 refuses and also repeated keys, depth > limit and a root
// that is not an object.
class JsonTree {
 public:
  static constexpr std::size_t kNone = SIZE_MAX;

  // Reads `text` (at most 4 GiB); the nodes' texts point into it or into the memory that
  // take_decoded() hands over. Replaces what was read before; keeps the capacity for the next
  // document.
  Result<> read(std::string_view text, std::size_t max_depth);

  const JsonNode& operator[](std::size_t index) const { return nodes_[index]; }
  std::size_t size() const { return nodes_.size(); }

  // Value of that key in the object at `object`, kNone when absent or when the node is no object.
  std::size_t find(std::size_t object, std::string_view key) const;
  // Text of the string member, empty when absent or no string.
  std::string_view string_at(std::size_t object, std::string_view key) const;
  std::optional<std::uint64_t> number_at(std::size_t object, std::string_view key) const;
  std::optional<std::uint64_t> number(std::size_t index) const;

  // use(key node, value index) for each member; nothing when the node is no object.
  template <typename Use>
  void each_member(std::size_t object, Use use) const {
    if (object == kNone || nodes_[object].kind != JsonKind::kObject) return;
    for (std::size_t i = object + 1; i < nodes_[object].next; i = nodes_[i + 1].next)
      use(nodes_[i], i + 1);
  }
  // use(value index, position) for each element; nothing when the node is no array.
  template <typename Use>
  void each_element(std::size_t array, Use use) const {
    if (array == kNone || nodes_[array].kind != JsonKind::kArray) return;
    std::size_t position = 0;
    for (std::size_t i = array + 1; i < nodes_[array].next; i = nodes_[i].next) use(i, position++);
  }

  std::unique_ptr<char[]> take_decoded() { return std::move(decoded_); }

 private:
  friend class JsonReader;
  std::vector<JsonNode> nodes_;
  std::unique_ptr<char[]> decoded_;
};

// This thread's tree, so that its memory is reused from body to body. Not reentrant.
JsonTree& thread_tree();

}  // namespace aispm::codec
