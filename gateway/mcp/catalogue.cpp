// SPDX-License-Identifier: Apache-2.0
#include "gateway/mcp/catalogue.hpp"

#include <algorithm>
#include <array>

#include "gateway/mcp/mcp_names.hpp"
#include "gateway/mcp/shown_entry.hpp"
#include "gateway/mcp/tool_book.hpp"
#include "sdk/core/codec/json_tree.hpp"
#include "sdk/core/codec/jsonrpc.hpp"
#include "sdk/core/common/utf8.hpp"
#include "sdk/core/policy/tool_scan.hpp"

namespace aispm::gateway {
namespace {

using codec::JsonKind;
using codec::JsonTree;

constexpr std::size_t kNone = JsonTree::kNone;

struct ShelfWords {
  std::string_view method;
  std::string_view key;
  std::string_view name;  // the member that names an entry
  EntryKind kind;
};
constexpr std::array<ShelfWords, kShelves> kWords = {{
    {"prompts/list", "prompts", "name", EntryKind::kPrompt},
    {"resources/list", "resources", "uri", EntryKind::kResource},
    {"resources/templates/list", "resourceTemplates", "uriTemplate", EntryKind::kTemplate},
}};

const ShelfWords& words_of(Shelf shelf) { return kWords[static_cast<std::size_t>(shelf)]; }

// Braces and other letters of templates too; never what ends a line.
bool is_uri(std::string_view uri) {
  return !uri.empty() && uri.size() <= Catalogue::kMaxUriBytes &&
         std::none_of(uri.begin(), uri.end(),
                      [](char c) { return (c >= '\0' && c <= ' ') || c == '\x7f'; });
}

void read_arguments(const JsonTree& tree, std::size_t entry, ShelfItem& item) {
  tree.each_element(tree.find(entry, "arguments"), [&](std::size_t one, std::size_t) {
    if (tree.string_at(one, "name").empty()) return;  // it can be given no value
    const std::size_t required = tree.find(one, "required");
    item.arguments.push_back({std::string(tree.string_at(one, "name")),
                              required != kNone && tree[required].kind == JsonKind::kTrue});
  });
}

}  // namespace

std::string_view list_method(Shelf shelf) { return words_of(shelf).method; }
std::string_view list_key(Shelf shelf) { return words_of(shelf).key; }

Result<bool> Catalogue::take_name(const std::string& name) {
  const std::string key(words_of(shelf_).key);
  if (items_.size() + left_out_.size() >= kMaxItems)
    return fail(Errc::kTooLarge, "more than " + std::to_string(kMaxItems) + " " + key);
  const bool is_name = shelf_ == Shelf::kPrompts ? is_mcp_name(name) : is_uri(name);
  if (is_name && find(name) == nullptr) return true;
  std::string& shown = left_out_.emplace_back(name);
  cut_utf8(shown, kMaxMcpName);
  return false;
}

Result<std::string> Catalogue::add_page(std::string_view server, std::string_view result) {
  const ShelfWords& words = words_of(shelf_);
  if (++pages_ > kMaxPages)
    return fail(Errc::kTooLarge,
                "more than " + std::to_string(kMaxPages) + " pages of " + std::string(words.key));
  JsonTree tree;
  AISPM_CHECK(tree.read(result, codec::kMaxRpcDepth));
  const std::size_t list = tree.find(0, words.key);
  if (list == kNone || tree[list].kind != JsonKind::kArray)
    return fail(Errc::kInvalid, "no list of " + std::string(words.key));
  Result<> read;
  tree.each_element(list, [&](std::size_t node, std::size_t) {
    if (!read) return;
    ShelfItem item;
    item.name = std::string(tree.string_at(node, words.name));
    auto taken = take_name(item.name);
    if (!taken) read = fail(std::move(taken).error());
    if (!taken || !*taken) return;
    const std::string as_shown = shelf_ == Shelf::kPrompts ? prefixed_name(server, item.name)
                                                           : prefixed_uri(server, item.name);
    item.shown = shown_entry(tree, node, result, {.kind = words.kind, .name = as_shown});
    for (std::size_t i = node; i < tree[node].next; ++i)
      if (tree[i].is_string() && !tree[i].text.empty())
        item.texts.append(tree[i].text).push_back('\n');
    if (shelf_ == Shelf::kPrompts) read_arguments(tree, node, item);
    bytes_ += item.shown.size();
    items_.push_back(std::move(item));
    if (bytes_ > kMaxBytes)
      read = fail(Errc::kTooLarge,
                  "more than " + std::to_string(kMaxBytes) + " bytes of " + std::string(words.key));
  });
  AISPM_CHECK(read);
  return std::string(tree.string_at(0, "nextCursor"));
}

void Catalogue::finish(std::string_view server) {
  // One at a time: that they speak of one another is nothing odd, and looking for it costs n^2.
  for (ShelfItem& item : items_) {
    policy::ServerManifest manifest;
    manifest.name = std::string(server);
    manifest.tools.push_back({item.name, item.texts});
    const policy::ScanReport report = policy::scan_server(manifest);
    item.hides_text = std::any_of(
        report.findings.begin(), report.findings.end(),
        [](const policy::ScanFinding& finding) { return finding.rule == "HIDDEN_TEXT"; });
  }
}

const ShelfItem* Catalogue::find(std::string_view name) const {
  const auto found = std::find_if(items_.begin(), items_.end(),
                                  [&](const ShelfItem& item) { return item.name == name; });
  return found == items_.end() ? nullptr : &*found;
}

Result<> check_prompt_arguments(const ShelfItem& prompt, std::string_view arguments) {
  JsonTree tree;
  AISPM_CHECK(tree.read(arguments, codec::kMaxRpcDepth));
  for (const ShelfItem::Argument& wanted : prompt.arguments)
    if (wanted.is_required && tree.find(0, wanted.name) == kNone)
      return fail(Errc::kInvalid, "the argument " + wanted.name + " is missing");
  Result<> fits;
  tree.each_member(0, [&](const codec::JsonNode& key, std::size_t value) {
    if (!fits) return;
    const auto& known = prompt.arguments;
    const std::string name(key.text.substr(0, 64));
    if (std::none_of(known.begin(), known.end(),
                     [&](const ShelfItem::Argument& one) { return one.name == key.text; }))
      fits = fail(Errc::kInvalid, "an argument that the prompt does not have: " + name);
    else if (!tree[value].is_string())
      fits = fail(Errc::kInvalid, "the argument " + name + " is no text");
    else if (tree[value].text.size() > ToolBook::kMaxArgumentBytes)
      fits = fail(Errc::kInvalid, "a text is longer than " +
                                      std::to_string(ToolBook::kMaxArgumentBytes) + " bytes");
  });
  return fits;
}

}  // namespace aispm::gateway
