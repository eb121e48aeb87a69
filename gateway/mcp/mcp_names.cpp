// SPDX-License-Identifier: Apache-2.0
#include "gateway/mcp/mcp_names.hpp"

#include <algorithm>
#include <vector>

#include "sdk/core/codec/json_edit.hpp"
#include "sdk/core/codec/json_tree.hpp"
#include "sdk/core/codec/jsonrpc.hpp"

namespace aispm::gateway {
namespace {

using codec::JsonKind;
using codec::JsonTree;

constexpr std::string_view kSeparator = "__";
constexpr std::string_view kScheme = "mcp+";

bool is_dot_segment(std::string_view segment) {
  std::size_t dots = 0;
  while (!segment.empty()) {
    const bool is_encoded =
        segment.size() >= 3 && segment[0] == '%' && segment[1] == '2' && (segment[2] | 0x20) == 'e';
    if (segment.front() != '.' && !is_encoded) return false;
    segment.remove_prefix(is_encoded ? 3 : 1);
    ++dots;
  }
  return dots == 1 || dots == 2;
}

bool has_plain_dot_segment(std::string_view uri) {
  while (true) {
    const auto end = uri.find_first_of("/\\?#");
    if (is_dot_segment(uri.substr(0, end))) return true;
    if (end == std::string_view::npos) return false;
    uri.remove_prefix(end + 1);
  }
}

std::optional<char> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<char>(c - '0');
  c = static_cast<char>(c | 0x20);
  if (c >= 'a' && c <= 'f') return static_cast<char>(c - 'a' + 10);
  return std::nullopt;
}

// What %XX means; what is no such thing stays.
std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : std::nullopt;
    const auto low = high ? hex_digit(text[i + 2]) : std::nullopt;
    if (low) {
      out.push_back(static_cast<char>(*high * 16 + *low));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

// Collects the patches for one result.
class UriPatches {
 public:
  UriPatches(const JsonTree& tree, std::string_view server) : tree_(tree), server_(server) {}

  std::vector<codec::JsonPatch> collect() {
    tree_.each_element(tree_.find(0, "contents"),
                       [&](std::size_t one, std::size_t) { patch_uri(one); });
    tree_.each_element(tree_.find(0, "content"),
                       [&](std::size_t one, std::size_t) { patch_content(one); });
    tree_.each_element(tree_.find(0, "messages"), [&](std::size_t message, std::size_t) {
      const std::size_t content = tree_.find(message, "content");
      if (content == JsonTree::kNone) return;
      patch_content(content);
      tree_.each_element(content, [&](std::size_t one, std::size_t) { patch_content(one); });
    });
    return std::move(patches_);
  }

 private:
  void patch_content(std::size_t content) {
    if (tree_.string_at(content, "type") == "resource_link") patch_uri(content);
    const std::size_t embedded = tree_.find(content, "resource");
    if (embedded != JsonTree::kNone) patch_uri(embedded);
  }
  void patch_uri(std::size_t object) {
    const std::size_t uri = tree_.find(object, "uri");
    if (uri == JsonTree::kNone || !tree_[uri].is_string()) return;
    patches_.push_back(
        codec::string_patch(tree_[uri].span(), prefixed_uri(server_, tree_[uri].text)));
  }

  const JsonTree& tree_;
  const std::string_view server_;
  std::vector<codec::JsonPatch> patches_;
};

}  // namespace

bool is_mcp_name(std::string_view name) {
  const auto is_part = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.' || c == '/';
  };
  return !name.empty() && name.size() <= kMaxMcpName &&
         std::all_of(name.begin(), name.end(), is_part);
}

std::string prefixed_name(std::string_view server, std::string_view name) {
  return std::string(server).append(kSeparator).append(name);
}

std::optional<NameAddress> split_name(std::string_view name) {
  const auto at = name.find(kSeparator);
  if (at == std::string_view::npos) return std::nullopt;
  return NameAddress{name.substr(0, at), name.substr(at + kSeparator.size())};
}

std::string prefixed_uri(std::string_view server, std::string_view uri) {
  return std::string(kScheme).append(server).append("+").append(uri);
}

std::optional<UriAddress> split_uri(std::string_view uri) {
  if (!uri.starts_with(kScheme)) return std::nullopt;
  uri.remove_prefix(kScheme.size());
  const auto at = uri.find('+');
  if (at == std::string_view::npos || at + 1 == uri.size()) return std::nullopt;
  return UriAddress{uri.substr(0, at), uri.substr(at + 1)};
}

bool has_dot_segment(std::string_view uri) {
  constexpr int kMaxRounds = 8;
  std::string text(uri);
  for (int round = 0; round < kMaxRounds; ++round) {
    if (has_plain_dot_segment(text)) return true;
    std::string decoded = percent_decoded(text);
    if (decoded == text) return false;
    text = std::move(decoded);
  }
  return true;  // nobody encodes as often
}

Result<std::string> prefix_uris(std::string_view server, std::string_view result) {
  JsonTree tree;
  AISPM_CHECK(tree.read(result, codec::kMaxRpcDepth));
  return codec::apply_patches(result, UriPatches(tree, server).collect());
}

}  // namespace aispm::gateway
