// SPDX-License-Identifier: Apache-2.0
#include "sandbox/requirements/lineage.hpp"

#include "sandbox/plan/plan.hpp"
#include "sandbox/supervise/proxy_header.hpp"
#include "sdk/core/common/id.hpp"

namespace aispm::sandbox {

void report_packages(const RunIdentity& run, const PackageSet& set, Delivery& delivery) {
  if (!delivery.has_taker()) return;
  for (const auto& package : set.packages) {
    AgentLine line{"requirements", "info", package.name + " " + package.version, {}, 0, 0};
    line.fields = {{"name", package.name},
                   {"version", package.version},
                   {"hash", package.hash},
                   {"packages", set.id}};
    if (!package.url.empty()) line.fields["url"] = package.url;
    delivery.offer(log_event(run, line));
  }
}

std::string report_refusal(const Request& request, const std::string& events_path,
                           const std::string& stream, const std::string& reason) {
  const RunIdentity run{agent_name(request), request.session_id, make_trace_id(), 0};
  std::optional<GatewayLink> link;
  if (!request.gateway_socket.empty())
    link.emplace(request.gateway_socket,
                 make_proxy_header(Speaker::kLauncher, run.session_id, run.agent_id, run.trace_id));
  const auto delivery = Delivery::open(std::move(link), events_path);
  if (!delivery) return delivery.error().message;
  if (!(*delivery)->has_taker()) return "";
  (*delivery)->offer(log_event(run, {stream, "error", reason, {}, 0, 0}));
  std::string why;
  const auto lost = (*delivery)->finish(kLastEventsPatience, why);
  return lost == 0 ? "" : why;
}

}  // namespace aispm::sandbox
