// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "sdk/core/codec/agent_message.hpp"
#include "sdk/core/codec/canonical_json.hpp"
#include "sdk/core/codec/llm_internal.hpp"

// Private to agent_*.cpp: one message being read.
namespace aispm::codec {

struct AgentReader {
  const JsonTree& tree;
  const RpcMessage& rpc;
  AgentMessage& message;

  // Every string of the subtree as parts of that surface.
  void add_all(std::size_t node, Surface surface);
  void set_arguments(std::size_t node);
  void set_result(std::size_t node);
  Party party(std::size_t node) const;
};

// Reads the message when its words are MCP's or A2A's; false when they are not.
bool read_mcp(AgentReader& reader);
bool read_a2a(AgentReader& reader);

// A tool of tools/list or a skill of a card; `name_key` holds its name.
ToolDefinition read_tool(const JsonTree& tree, std::size_t tool, std::string_view name_key);
// Adds the elements of the array at `list`.
void read_tools(const JsonTree& tree, std::size_t list, std::string_view name_key,
                std::vector<ToolDefinition>& tools, bool& is_cut);

}  // namespace aispm::codec
