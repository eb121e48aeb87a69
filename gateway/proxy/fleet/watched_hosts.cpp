// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/fleet/watched_hosts.hpp"

#include "gateway/proxy/decide/module_judge.hpp"
#include "sdk/core/common/id.hpp"

namespace aispm::gateway {
namespace {

// A watched policy is judged by its own registry where it has one.
const policy::AgentRegistry& registry_of(const Services& services, const PolicyView& watched) {
  const bool has_own = watched.bundle->has_agents_file() && watched.bundle->agents() != nullptr;
  return has_own ? *watched.bundle->agents() : services.config.decide.agents;
}

}  // namespace

void record_watched_hosts(Client& client, const HostPort& host) {
  const Caller& caller = client.caller;
  Services& services = client.worker().services();
  for (const auto& watched : services.policies_for(caller.agent_id, caller.tenant).monitored) {
    const policy::SandboxRules* const rules =
        watched->bundle ? watched->bundle->sandbox() : nullptr;
    const policy::SandboxRule* const refusing =
        rules == nullptr ? nullptr : rules->refusing(caller.agent_id, host);
    ActionVerdict said;
    if (refusing == nullptr && watched->bundle)
      said = judge_run_host(*watched, registry_of(services, *watched), caller.agent_id, host.name,
                            wall_now());
    if (refusing == nullptr && said.outcome == model::Outcome::kAllow) continue;
    model::SocketClose close;
    close.name = host.name;
    close.destination_port = host.port;
    model::Event event;
    event.id = make_uuid();
    event.time = wall_now();
    event.tenant = caller.tenant;
    event.host_id = services.host_id;
    event.agent_id = caller.agent_id;
    event.session_id = caller.session_id;
    event.trace_id = caller.trace_id;
    event.span_id = make_span_id();
    event.source = model::Source::kGateway;
    model::Decision decision;
    decision.outcome = model::Outcome::kDeny;
    decision.mode = "monitor";
    decision.rule_id = refusing != nullptr ? refusing->id : said.rule_id;
    const char* const part = refusing != nullptr               ? "sandbox.yaml"
                             : watched->is_expired(event.time) ? "it has expired"
                                                               : "Rego module egress";
    decision.reason = "policy " + watched->id + " would not permit it (" + part + ")";
    decision.policy_version = watched->version();
    decision.case_id = event.id;
    event.decision = std::move(decision);
    event.body = std::move(close);
    client.worker().record(std::move(event));
  }
}

}  // namespace aispm::gateway
