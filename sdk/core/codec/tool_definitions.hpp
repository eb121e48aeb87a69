// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "sdk/core/codec/agent_message.hpp"

namespace aispm::codec {

inline constexpr std::size_t kMaxToolListBytes = 16U << 20;

// The tools of a list as an MCP server gives it: {"tools": [...]}, a whole reply with "result", or
// the bare array. All at most kMaxListedTools, more are kTooLarge; kInvalid: no such JSON, or a
// tool without a name.
Result<std::vector<ToolDefinition>> read_tool_list(std::string_view json);

// The tools that a request offers to a model (OpenAI's chat and responses, Anthropic, Gemini,
// Bedrock, Ollama), described as a server would: {"name", "description"} and {"inputSchema"}, so
// that one pin fits both where the client passes on what the server said. Kinds without a name of
// their own (web search and the like) are left out.
Result<std::vector<ToolDefinition>> read_offered_tools(std::string_view request);

}  // namespace aispm::codec
