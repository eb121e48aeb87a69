// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/mcp/mcp_reply.hpp"
#include "gateway/mcp/mcp_sessions.hpp"
#include "gateway/proxy/client.hpp"
#include "gateway/proxy/decide/settlement.hpp"

namespace aispm::gateway {

// Tells a client that waits: something was asked, or is still being waited for ("" = only that).
// False: it has gone.
using McpTell = std::function<net::asio::awaitable<bool>(std::string message)>;

// tools/call: found, its arguments judged like any action and checked against the tool's schema,
// people asked where policy wants it, the server called, what it says judged, all of it recorded in
// one event. Gives the JSON-RPC answer. `tell`: null where nothing can be told before the answer.
// What is referred to must outlive the call.
net::asio::awaitable<std::string> call_tool(Worker& worker, McpSession& session,
                                            const Caller& caller, const ShownProofs& proofs,
                                            const McpMessage& asked, McpTell tell);

}  // namespace aispm::gateway
