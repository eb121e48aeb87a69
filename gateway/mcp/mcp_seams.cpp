// SPDX-License-Identifier: Apache-2.0
#include "gateway/mcp/mcp_seams.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace aispm::gateway {
namespace {

using codec::JsonTree;

// What is cut in two stands this near to the cut; longer wording is found in one of its parts.
constexpr std::size_t kNearBytes = 512;
// {"content": {"resource": {"text": "..."}}}
constexpr int kMaxNesting = 4;

bool is_within_character(char byte) { return (static_cast<unsigned char>(byte) & 0xc0U) == 0x80; }

std::string_view beginning_of(std::string_view text) {
  std::size_t size = std::min(text.size(), kNearBytes);
  while (size < text.size() && size > 0 && is_within_character(text[size])) --size;
  return text.substr(0, size);
}

std::string_view end_of(std::string_view text) {
  std::size_t from = text.size() - std::min(text.size(), kNearBytes);
  while (from > 0 && from < text.size() && is_within_character(text[from])) ++from;
  return text.substr(from);
}

// The text of a member of a list; empty: it has none of its own.
std::string_view words_of(const JsonTree& tree, std::size_t node) {
  constexpr std::array<std::string_view, 3> kKeys = {"text", "content", "resource"};
  for (int depth = 0; depth < kMaxNesting && node != JsonTree::kNone; ++depth) {
    if (tree[node].is_string()) return tree[node].text;
    std::size_t inner = JsonTree::kNone;
    for (const std::string_view key : kKeys)
      if (inner == JsonTree::kNone) inner = tree.find(node, key);
    node = inner;
  }
  return {};
}

void append_short(std::string_view words, std::string& out) {
  if (words.size() <= 2 * kNearBytes) {
    out.append(words);
    return;
  }
  out.append(beginning_of(words)).append("\n\n").append(end_of(words));
}

void add_seam(std::string_view left, std::string_view right, bool is_first, ResultSeams& seams) {
  SeamText& lines = seams.lines;
  if (is_first) {
    if (!lines.text.empty()) lines.text.append("\n\n");  // of another list
    append_short(left, lines.text);
  }
  const std::size_t left_end = lines.text.size();
  lines.text.push_back('\n');
  lines.seams.push_back({left_end, lines.text.size()});
  append_short(right, lines.text);
  SeamText& pairs = seams.pairs;
  pairs.text.append(end_of(left));
  pairs.seams.push_back({pairs.text.size(), pairs.text.size()});
  pairs.text.append(beginning_of(right)).push_back('\n');
}

}  // namespace

bool SeamText::crosses(std::size_t offset, std::size_t length) const {
  return std::any_of(seams.begin(), seams.end(), [&](const Seam& seam) {
    return offset < seam.left_end && offset + length > seam.right_begin;
  });
}

ResultSeams read_seams(const JsonTree& tree) {
  ResultSeams seams;
  for (std::size_t list = 0; list < tree.size(); ++list) {
    std::string_view left;
    bool is_first = true;
    tree.each_element(list, [&](std::size_t node, std::size_t) {
      const std::string_view words = words_of(tree, node);
      if (words.empty()) return;
      if (!left.empty()) {
        add_seam(left, words, is_first, seams);
        is_first = false;
      }
      left = words;
    });
  }
  return seams;
}

}  // namespace aispm::gateway
