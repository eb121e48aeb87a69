// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "sdk/core/codec/llm.hpp"
#include "sdk/core/detect/rule.hpp"

// Which surface the strings of an exchange stand on (table in docs/detection.md).
namespace aispm::gateway {

// What a tool does with text, by the words of its name ("save_memory", "GmailSearch").
enum class ToolKind : std::uint8_t { kOther, kMemory, kEmailOrWeb, kRetrieval };
ToolKind kind_of_tool(std::string_view name);

detect::Surface surface_of(const codec::TextPart& part);
// `tool`: of the call that the channel is the arguments of, else "".
detect::Surface surface_of(codec::ChannelKind kind, std::string_view tool = {});

}  // namespace aispm::gateway
