// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "gateway/mcp/mcp_reply.hpp"
#include "gateway/mcp/mcp_sessions.hpp"
#include "gateway/proxy/client.hpp"
#include "gateway/proxy/decide/settlement.hpp"

namespace aispm::gateway {

// Which server of `mcp.servers` an agent may use under that name; nothing: none.
std::optional<std::size_t> find_server(const McpConfig& config, std::string_view name,
                                       std::string_view agent_id);
bool is_tool_granted(const McpServerConfig& server, std::string_view tool);

// `name`: of a prompt, or a URI. Templates are granted by what they may expand to: one that fits no
// glob as it is written is not shown, though URIs of it may be read.
bool is_item_granted(const McpServerConfig& server, Shelf shelf, std::string_view name);
// What the servers that an agent may use grant it.
// With `book`, what these servers said that they tell of.
McpOffers offers_for(const McpConfig& config, std::string_view agent_id, const OfferBook& book);

// What servers that an agent may use tell models of themselves, each under its name, as they said
// it last: at most kMaxInstructions of one, kMaxAllInstructions together. What must not be told to
// a model, and what is longer, is left out with a record. `method`: in whose result it stands.
inline constexpr std::size_t kMaxAllInstructions = 64U << 10;
std::string instructions_for(Worker& worker, const Caller& caller, const ShownProofs& proofs,
                             const std::string& method);

// tools/list: what all servers that the agent may use offer, without what it may not call and what
// must not be told to a model. A server that does not answer is left out. Gives the result.
net::Task<std::string> list_tools(Worker& worker, McpSession& session, const Caller& caller,
                                  const ShownProofs& proofs, const McpMessage& asked);
// prompts/list, resources/list and resources/templates/list likewise.
net::Task<std::string> list_shelf(Worker& worker, McpSession& session, const Caller& caller,
                                  const ShownProofs& proofs, const McpMessage& asked, Shelf shelf);

}  // namespace aispm::gateway
