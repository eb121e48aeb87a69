// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/mcp/mcp_notes.hpp"
#include "gateway/mcp/mcp_reply.hpp"
#include "gateway/mcp/mcp_sessions.hpp"
#include "gateway/proxy/client.hpp"
#include "gateway/proxy/decide/settlement.hpp"

namespace aispm::gateway {

// tools/call, prompts/get, resources/read: found, judged like any action, people asked where policy
// wants it, the server asked, what it says judged, all of it recorded in one event. A call is the
// action of its tool; the others are actions named after their method, with what they name as
// arguments. Gives the JSON-RPC answer. `tell`: null where nothing can be told before the answer.
// What is referred to must outlive the call.
net::asio::awaitable<std::string> serve_action(Worker& worker, McpSession& session, Client& client,
                                               const Caller& caller, const ShownProofs& proofs,
                                               const McpMessage& asked, McpTell tell);

}  // namespace aispm::gateway
