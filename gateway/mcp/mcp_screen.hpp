// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gateway/mcp/catalogue.hpp"
#include "gateway/mcp/tool_book.hpp"
#include "gateway/proxy/pipeline/scan_request.hpp"

// What is found in what servers say, before a model is told. No I/O.
namespace aispm::gateway {

// Why something is kept from the model.
struct McpObjection {
  std::string rule_id;
  std::string reason;
};

struct ToolLook {
  std::optional<McpObjection> objection;
  std::vector<model::Detection> detections;
};
// Names, descriptions and schemas of one tool, as a request's tool descriptions are judged. What
// policy would cut out is an objection too: a tool is what it says, or it is not there.
ToolLook look_at_tool(const ScanContext& context, const McpTool& tool);
// The same of a prompt, a resource or a template.
ToolLook look_at_item(const ScanContext& context, const ShelfItem& item);

// The same of what a server tells models of itself.
ToolLook look_at_instructions(const ScanContext& context, std::string_view server,
                              std::string_view text);

// What a client tells a server beside the arguments (`_meta`), judged as they are. Data in it does
// not go on, whatever policy lets pass in arguments: no call needs it.
struct MetaLook {
  std::string meta;  // what of it may; "" = nothing
  std::optional<McpObjection> objection;
  std::vector<model::Detection> detections;
};
MetaLook look_at_meta(const ScanContext& context, std::string_view meta);

struct ResultLook {
  std::string result;  // with what policy withholds cut out
  std::uint64_t redactions = 0;
  std::optional<McpObjection> objection;
  std::vector<model::Detection> detections;
};
// What a server said, a JSON object: the result of a call (kToolResult), a prompt or resource
// (kDocument), judged as such texts in a request are.
ResultLook look_at_result(const ScanContext& context, codec::Surface surface, std::string_view tool,
                          std::string result);

}  // namespace aispm::gateway
