// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/mcp/web/web_config.hpp"
#include "gateway/proxy/worker.hpp"

namespace aispm::gateway {

// The result of tools/list: what of them is configured.
std::string list_web_tools(const WebConfig& config);

// The result of tools/call; a page that cannot be had is one, too, in words for the model.
// `params`: of the call, a JSON object with arguments that fit the tool's schema. `server`: index
// of the gateway's own among its servers. Puts the connection that is being waited for into
// `in_flight`.
net::Task<std::string> call_web_tool(Worker& worker, std::size_t server, std::string_view tool,
                                     std::string_view params, net::Stream*& in_flight);

}  // namespace aispm::gateway
