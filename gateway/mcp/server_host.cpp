// SPDX-License-Identifier: Apache-2.0
#include "gateway/mcp/server_host.hpp"

#include "gateway/mcp/web/web_config.hpp"
#include "gateway/proxy/decide/module_judge.hpp"
#include "sdk/core/policy/tool_egress.hpp"

namespace aispm::gateway {

void judge_server_host(AskedAction& asked, const McpServerConfig& server) {
  // The gateway's own tools: only a search asks the server that is configured, the hosts of others
  // stand in the arguments.
  if (server.endpoint.name == kWebServer && asked.action().tool != kSearchTool) return;
  const std::string_view host = policy::host_in(server.endpoint.origin);
  asked.judge_further([host](const PolicyView& policy, const ActionContext& who, WallTime now) {
    return judge_host(policy, who, host, now);
  });
}

}  // namespace aispm::gateway
