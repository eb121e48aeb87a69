// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/mcp/mcp_request.hpp"
#include "gateway/mcp/server_link.hpp"
#include "gateway/proxy/decide/settlement.hpp"

namespace aispm::gateway {

// `completion/complete`: what an argument of a prompt or of a resource's template could be, as its
// server proposes. An action of that name for policy; proposals are judged as results are. Gives
// the whole JSON-RPC answer; a server that knows no completions proposes nothing.
net::asio::awaitable<std::string> serve_completion(Worker& worker, McpSession& session,
                                                   const Caller& caller, const ShownProofs& proofs,
                                                   const McpMessage& asked);

}  // namespace aispm::gateway
