// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "gateway/mcp/mcp_request.hpp"
#include "gateway/mcp/mcp_sessions.hpp"
#include "gateway/proxy/client.hpp"
#include "gateway/proxy/decide/settlement.hpp"

// Streams of what changes at the servers behind the endpoint, for as long as a client wants them.
// What comes are names only; what has changed is read, and judged, when the client asks for it.
namespace aispm::gateway {

// A stream counts for the rates of its agent, tool `subscriptions/listen`, in both eras. "": it may
// open; else why not.
std::string take_stream_rate(Worker& worker, const Caller& caller);
// GET of a session: all that its servers tell and it has subscribed to.
net::Task<> serve_session_stream(Client& client, std::shared_ptr<McpSession> session,
                                 const Caller& caller, const ShownProofs& proofs);
// subscriptions/listen (2026-07-28). An error is the answer to send: nothing was sent.
net::Task<> serve_listen(Client& client, std::shared_ptr<McpSession> of_agent, const Caller& caller,
                         const ShownProofs& proofs, const McpMessage& asked);

}  // namespace aispm::gateway
