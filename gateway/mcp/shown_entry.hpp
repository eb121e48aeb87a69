// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sdk/core/codec/json_tree.hpp"

// What of a server's words clients can read: those of the SDKs read nothing of a list, or of a
// result, in which one member is of another kind than the protocol says, whatever server it is of.
// Pure.
namespace aispm::gateway {

enum class EntryKind : std::uint8_t { kTool, kPrompt, kResource, kTemplate };

struct EntryView {
  EntryKind kind = EntryKind::kTool;
  std::string_view name = {};  // that clients know it by; of a resource or template its URI
  // For clients before 2026-07-28, which want output schemas of objects only, and no schemas that
  // are true or false.
  bool for_sessions = true;
  bool has_output_schema = true;  // false: what it says of results cannot be used
};
// The entry of a list at `node` of `tree`, which was read from `text`. Members that are null or of
// a wrong kind are left out; a tool's input schema gets the type that it must name, a resource
// without a name its URI for one.
std::string shown_entry(const codec::JsonTree& tree, std::size_t node, std::string_view text,
                        const EntryView& as);

// The result of a tool, a JSON object: without members that are null, also of its blocks, and with
// content. `for_sessions`: for clients before 2026-07-28, whose structured content is an object;
// what it is else stands in the content, as all of it does where there is no content. kInvalid: not
// JSON that can only be read in one way.
Result<std::string> shown_result(std::string_view result, bool for_sessions);

}  // namespace aispm::gateway
