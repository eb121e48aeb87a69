// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/mcp/catalogue.hpp"
#include "sdk/core/common/result.hpp"

// What changes at servers, and who wants to hear of it, in both eras: sessions have one stream
// (GET) for all of it, 2026-07-28 one request (subscriptions/listen) for what it names. Pure.
namespace aispm::gateway {

enum class ChangeKind : std::uint8_t { kTools, kPrompts, kResources, kResource };

struct Change {
  ChangeKind kind = ChangeKind::kTools;
  std::string uri = {};  // kResource
  bool operator==(const Change&) const = default;
};
// What a notification says; nothing: it is no such notification.
std::optional<Change> read_change(std::string_view method, std::string_view params);
// The list that has changed; nothing: that of tools. Not for kResource.
std::optional<Shelf> shelf_of(ChangeKind kind);

// What somebody wants to hear of.
struct ChangeFilter {
  bool tools = false;
  bool prompts = false;
  bool resources = false;
  std::vector<std::string> uris = {};
  bool wants(ChangeKind kind) const;
  bool empty() const { return !tools && !prompts && !resources && uris.empty(); }
};
// Of the params of subscriptions/listen. kInvalid: no such params. URIs sorted, each once.
Result<ChangeFilter> read_change_filter(std::string_view params);
// As `notifications` of it.
std::string change_filter_json(const ChangeFilter& filter);
std::string server_listen(const ChangeFilter& filter);  // params

// Whole JSON-RPC messages to a client. `listen_id`: of its subscriptions/listen, as JSON; "": it
// has a session.
std::string change_note(const Change& change, std::string_view listen_id);
std::string listen_begun(const ChangeFilter& honoured, std::string_view listen_id);
std::string listen_ended(std::string_view listen_id);

}  // namespace aispm::gateway
