// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "gateway/mcp/mcp_request.hpp"
#include "gateway/mcp/mcp_sessions.hpp"
#include "gateway/proxy/client.hpp"
#include "gateway/proxy/config.hpp"
#include "gateway/proxy/decide/settlement.hpp"

namespace aispm::gateway {

// To wait for a change of one is an action of this name over its URI.
inline constexpr std::string_view kSubscribeAction = "resources/subscribe";

// What policy says to that, and to the server's host; recorded. "": it may, else the rule that
// denies it.
net::asio::awaitable<std::string> judge_subscription(Worker& worker, const Caller& caller,
                                                     const ShownProofs& proofs,
                                                     const McpServerConfig& server,
                                                     const std::string& uri);

// resources/subscribe and resources/unsubscribe of a client with a session: the answer.
net::asio::awaitable<std::string> serve_subscription(Worker& worker, McpSession& session,
                                                     const Caller& caller,
                                                     const ShownProofs& proofs,
                                                     const McpMessage& asked);

// Asks the servers of an agent of which nobody knows yet what they have, for a short while.
net::asio::awaitable<void> ask_offers(Worker& worker, McpSession& session,
                                      const std::string& agent_id);

}  // namespace aispm::gateway
