// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "gateway/mcp/mcp_changes.hpp"
#include "gateway/mcp/mcp_sessions.hpp"
#include "gateway/proxy/client.hpp"
#include "gateway/proxy/decide/settlement.hpp"

namespace aispm::gateway {

// The head of an answer that is a stream of events.
inline constexpr std::string_view kMcpStreamHead =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n"
    "x-accel-buffering: no\r\ntransfer-encoding: chunked\r\nconnection: keep-alive\r\n\r\n";

// Tells a client whose stream was opened of what changes at the servers of `session`, until it
// goes, the session ends or the agent, or one that handed its task on, is frozen, and ends the
// stream. What servers ask and log beside requests goes to a client with a session, too. `kept`:
// the session that must not end as idle meanwhile. `listen_id`: of subscriptions/listen, as JSON;
// "": `session` is the client's own. What is referred to outlives it.
net::Task<> stream_changes(Client& client, const Caller& caller, const ShownProofs& proofs,
                           std::shared_ptr<McpSession> session, std::shared_ptr<McpSession> kept,
                           const std::string& listen_id, const ChangeFilter& kinds);

}  // namespace aispm::gateway
