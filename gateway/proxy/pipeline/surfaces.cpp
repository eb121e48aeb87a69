// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/pipeline/surfaces.hpp"

#include "sdk/core/policy/tool_kind.hpp"

namespace aispm::gateway {
using detect::Surface;

ToolKind kind_of_tool(std::string_view name) {
  static_assert(static_cast<int>(ToolKind::kRetrieval) ==
                static_cast<int>(policy::ToolKind::kRetrieval));
  return static_cast<ToolKind>(policy::kind_of_tool(name));
}

Surface surface_of(const codec::TextPart& part) {
  switch (part.surface) {
    case codec::Surface::kSystem:
      return Surface::kSystem;
    case codec::Surface::kToolResult:
      switch (kind_of_tool(part.tool)) {
        case ToolKind::kEmailOrWeb:
          return Surface::kEmailOrWeb;
        case ToolKind::kRetrieval:
          return Surface::kRetrievedDocument;
        default:
          return Surface::kToolResult;
      }
    case codec::Surface::kToolArguments:
      return surface_of(codec::ChannelKind::kToolArguments, part.tool);
    case codec::Surface::kToolDescription:
      return Surface::kToolDescription;
    case codec::Surface::kDocument:
      return Surface::kRetrievedDocument;
    case codec::Surface::kPrompt:
    case codec::Surface::kAssistant:  // what a client sends back is the client's word
    case codec::Surface::kOther:
    case codec::Surface::kMedia:  // the engine looks into base64
      break;
  }
  return Surface::kPrompt;
}

Surface surface_of(codec::ChannelKind kind, std::string_view tool) {
  if (kind != codec::ChannelKind::kToolArguments) return Surface::kReply;
  return kind_of_tool(tool) == ToolKind::kMemory ? Surface::kMemoryWrite : Surface::kToolArguments;
}

}  // namespace aispm::gateway
