// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/mcp/mcp_reply.hpp"
#include "gateway/mcp/mcp_screen.hpp"
#include "gateway/mcp/server_link.hpp"

namespace aispm::gateway {

// Actions that are no calls of tools, as policies know them.
inline constexpr std::string_view kPromptAction = "prompts/get";
inline constexpr std::string_view kResourceAction = "resources/read";

// What a request of a client is about, found with its server.
struct McpSubject {
  enum class Kind : std::uint8_t { kTool, kPrompt, kResource };
  Kind kind = Kind::kTool;
  std::string server;     // its name
  std::string name;       // as the server knows it: of a tool or prompt, or a URI
  std::string arguments;  // of the action, a JSON object
  // What keeps it alive, and itself; null: it is not of that kind. Of resources nothing is kept.
  std::shared_ptr<const ToolBook> tools;
  const McpTool* tool = nullptr;
  std::shared_ptr<const Catalogue> prompts;
  const ShelfItem* prompt = nullptr;

  // The action, as policies know it.
  std::string action() const;
  // What a server is asked, with these arguments of the action.
  ServerAsk ask(const std::string& action_arguments) const;
  // Its words and what the client says of it; an objection denies.
  ToolLook look(const ScanContext& scan) const;
  // kInvalid: the arguments do not fit what it says of itself.
  Result<> check(const std::string& given) const;
  codec::Surface surface() const;
  // What of a result that was judged goes on, in a form that clients read. `has_uris`: with the
  // URIs that they can ask for; the gateway's own prefix is nothing to judge a server by.
  Result<std::string> known_result(const std::string& result, bool has_uris,
                                   bool is_stateless) const;
  // A text of the gateway as the whole result.
  std::string result_of(const std::string& words) const;
};

// Which of a caller's servers `asked` names; nothing: none that the caller may use, or not that of
// it. Errors are for the client.
struct McpAddress {
  McpSubject::Kind kind = McpSubject::Kind::kTool;
  std::size_t server = 0;
  std::string name;
};
std::optional<McpAddress> find_address(const McpConfig& config, const McpMessage& asked,
                                       std::string_view agent_id);

// Asks the server where that is needed. kNotFound: the server has no such thing.
net::Task<McpSubject> find_subject(ServerLink& link, const McpServerConfig& config,
                                   const McpAddress& address, const McpMessage& asked);

// "Unknown tool: x": the same for what is not there and for what an agent may not see.
std::string unknown_subject(const McpMessage& asked);

}  // namespace aispm::gateway
