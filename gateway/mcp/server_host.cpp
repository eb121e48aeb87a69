// SPDX-License-Identifier: Apache-2.0
#include "gateway/mcp/server_host.hpp"

#include "gateway/mcp/web/web_config.hpp"
#include "gateway/proxy/decide/module_judge.hpp"
#include "sdk/core/policy/tool_egress.hpp"

namespace aispm::gateway {

using model::Outcome;

void judge_server_host(AskedAction& asked, const McpServerConfig& server) {
  const Outcome outcome = asked.action().verdict.outcome;
  const auto& enforced = asked.gate().policies().enforced;
  if (!enforced || outcome == Outcome::kDeny || outcome == Outcome::kKillSwitch) return;
  // The gateway's own tools: only a search asks the server that is configured, the hosts of others
  // stand in the arguments.
  if (server.endpoint.name == kWebServer && asked.action().tool != kSearchTool) return;
  const std::string_view host = policy::host_in(server.endpoint.origin);
  ActionVerdict said = judge_host(*enforced, asked.gate().context(), host, wall_now());
  if (said.outcome != Outcome::kAllow)
    asked.overrule(said.outcome, std::move(said.rule_id), std::move(said.reason));
}

}  // namespace aispm::gateway
