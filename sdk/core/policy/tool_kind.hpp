// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace aispm::policy {

// What a tool does with text, by the words of its name ("save_memory", "GmailSearch").
enum class ToolKind : std::uint8_t { kOther, kMemory, kEmailOrWeb, kRetrieval };
ToolKind kind_of_tool(std::string_view name);

}  // namespace aispm::policy
