// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/codec/canonical_json.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "sdk/core/common/crypto.hpp"

namespace aispm::codec {
namespace {

// Depth is bounded by the limit that JsonTree::read() was given.
class Writer {
 public:
  explicit Writer(const JsonTree& tree) : tree_(tree) {}

  void write(std::size_t node, std::string_view skip) {
    switch (tree_[node].kind) {
      case JsonKind::kObject:
        return write_object(node, skip);
      case JsonKind::kArray:
        out.push_back('[');
        tree_.each_element(node, [&](std::size_t element, std::size_t position) {
          if (position > 0) out.push_back(',');
          write(element, {});
        });
        return out.push_back(']');
      case JsonKind::kString:
        out += json_string(tree_[node].text);
        return;
      default:
        out += tree_[node].text;  // numbers, true, false, null: as written
    }
  }

  std::string out;

 private:
  void write_object(std::size_t node, std::string_view skip) {
    std::vector<std::pair<std::string_view, std::size_t>> members;
    tree_.each_member(node, [&](const JsonNode& key, std::size_t value) {
      if (skip.empty() || key.text != skip) members.emplace_back(key.text, value);
    });
    std::sort(members.begin(), members.end());
    out.push_back('{');
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (i > 0) out.push_back(',');
      out += json_string(members[i].first);
      out.push_back(':');
      write(members[i].second, {});
    }
    out.push_back('}');
  }

  const JsonTree& tree_;
};

}  // namespace

std::string canonical_json(const JsonTree& tree, std::size_t node, std::string_view skip) {
  Writer writer(tree);
  writer.write(node, skip);
  return std::move(writer.out);
}

std::string canonical_sha256(const JsonTree& tree, std::size_t node) {
  return sha256_hex(canonical_json(tree, node));
}

}  // namespace aispm::codec
