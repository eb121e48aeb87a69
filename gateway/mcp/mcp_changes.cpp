// SPDX-License-Identifier: Apache-2.0
#include "gateway/mcp/mcp_changes.hpp"

#include <algorithm>
#include <array>

#include "sdk/core/codec/json_edit.hpp"
#include "sdk/core/codec/json_tree.hpp"
#include "sdk/core/codec/jsonrpc.hpp"

namespace aispm::gateway {
namespace {

using codec::json_string;
using codec::JsonKind;
using codec::JsonTree;

constexpr std::array<std::string_view, 4> kMethods = {
    "notifications/tools/list_changed", "notifications/prompts/list_changed",
    "notifications/resources/list_changed", "notifications/resources/updated"};

std::string meta_of(std::string_view listen_id) {
  return "\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":" + std::string(listen_id) + "}";
}

}  // namespace

std::optional<Change> read_change(std::string_view method, std::string_view params) {
  const auto* const known = std::find(kMethods.begin(), kMethods.end(), method);
  if (known == kMethods.end()) return std::nullopt;
  Change change{.kind = static_cast<ChangeKind>(known - kMethods.begin())};
  if (change.kind != ChangeKind::kResource) return change;
  JsonTree tree;
  if (!tree.read(params, codec::kMaxRpcDepth)) return std::nullopt;
  change.uri = std::string(tree.string_at(0, "uri"));
  if (change.uri.empty()) return std::nullopt;
  return change;
}

std::optional<Shelf> shelf_of(ChangeKind kind) {
  if (kind == ChangeKind::kTools) return std::nullopt;
  return kind == ChangeKind::kPrompts ? Shelf::kPrompts : Shelf::kResources;
}

bool ChangeFilter::wants(ChangeKind kind) const {
  switch (kind) {
    case ChangeKind::kTools:
      return tools;
    case ChangeKind::kPrompts:
      return prompts;
    case ChangeKind::kResources:
      return resources;
    default:
      return !uris.empty();
  }
}

Result<ChangeFilter> read_change_filter(std::string_view params) {
  JsonTree tree;
  AISPM_CHECK(tree.read(params, codec::kMaxRpcDepth));
  const std::size_t said = tree.find(0, "notifications");
  if (said == JsonTree::kNone || tree[said].kind != JsonKind::kObject)
    return fail(Errc::kInvalid, "subscriptions/listen names no notifications");
  const auto is_true = [&](std::string_view name) {
    const std::size_t flag = tree.find(said, name);
    return flag != JsonTree::kNone && tree[flag].kind == JsonKind::kTrue;
  };
  ChangeFilter filter{.tools = is_true("toolsListChanged"),
                      .prompts = is_true("promptsListChanged"),
                      .resources = is_true("resourcesListChanged")};
  bool is_good = true;
  tree.each_element(tree.find(said, "resourceSubscriptions"), [&](std::size_t uri, std::size_t) {
    is_good = is_good && tree[uri].is_string() && !tree[uri].text.empty();
    if (is_good) filter.uris.emplace_back(tree[uri].text);
  });
  if (!is_good) return fail(Errc::kInvalid, "resourceSubscriptions must be URIs");
  std::sort(filter.uris.begin(), filter.uris.end());
  filter.uris.erase(std::unique(filter.uris.begin(), filter.uris.end()), filter.uris.end());
  return filter;
}

std::string change_filter_json(const ChangeFilter& filter) {
  std::string json = "{";
  const auto add = [&](std::string_view member) {
    json.append(json.size() > 1 ? "," : "").append(member);
  };
  if (filter.tools) add("\"toolsListChanged\":true");
  if (filter.prompts) add("\"promptsListChanged\":true");
  if (filter.resources) add("\"resourcesListChanged\":true");
  if (filter.uris.empty()) return json + "}";
  add("\"resourceSubscriptions\":[");
  for (std::size_t i = 0; i < filter.uris.size(); ++i)
    json.append(i == 0 ? "" : ",").append(json_string(filter.uris[i]));
  return json + "]}";
}

std::string server_listen(const ChangeFilter& filter) {
  return "{\"notifications\":" + change_filter_json(filter) + "}";
}

std::string change_note(const Change& change, std::string_view listen_id) {
  std::string params;
  if (change.kind == ChangeKind::kResource) params = "\"uri\":" + json_string(change.uri);
  if (!listen_id.empty()) params.append(params.empty() ? "" : ",").append(meta_of(listen_id));
  std::string json = "{\"jsonrpc\":\"2.0\",\"method\":\"" +
                     std::string(kMethods[static_cast<std::size_t>(change.kind)]) + "\"";
  return params.empty() ? json + "}" : json + ",\"params\":{" + params + "}}";
}

std::string listen_begun(const ChangeFilter& honoured, std::string_view listen_id) {
  return "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\",\"params\":{"
         "\"notifications\":" +
         change_filter_json(honoured) + "," + meta_of(listen_id) + "}}";
}

std::string listen_ended(std::string_view listen_id) {
  return "{\"jsonrpc\":\"2.0\",\"id\":" + std::string(listen_id) +
         ",\"result\":{\"resultType\":\"complete\"," + meta_of(listen_id) + "}}";
}

}  // namespace aispm::gateway
