// SPDX-License-Identifier: Apache-2.0
// Whatever comes: no crash, spans inside the text, every part where its span says.
#include <cstdlib>

#include "sdk/core/codec/agent_message.hpp"
#include "sdk/core/codec/mcp_http.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace aispm::codec;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)parse_agent_card(text);
  (void)decode_mcp_header(text);
  const auto messages = parse_agent_messages(text);
  if (!messages) return 0;
  if (messages->empty()) std::abort();
  for (const AgentMessage& message : *messages) {
    if (message.arguments.end > size || message.result.end > size) std::abort();
    if (message.arguments.empty() != message.arguments_sha256.empty()) std::abort();
    for (const TextPart& part : message.parts) {
      const auto token = json_unescape(text.substr(part.span.begin, part.span.size()));
      if (!token || *token != part.text) std::abort();
    }
    if (message.tools && tool_list_sha256(*message.tools).size() != 64) std::abort();
  }
  return 0;
}
