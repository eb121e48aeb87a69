// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/fleet/run_rules.hpp"

#include <algorithm>

#include "gateway/proxy/decide/agent_refusal.hpp"
#include "gateway/proxy/decide/module_judge.hpp"
#include "sdk/core/codec/json_edit.hpp"

namespace aispm::gateway {
namespace {

// What aispm-run says of itself when it reads `sandbox`.
bool obeys_rules(const codec::http1::Head& head) {
  return std::any_of(head.headers.begin(), head.headers.end(), [](const auto& header) {
    return codec::http1::equal_name(header.name, "x-aispm-run") && header.value == "sandbox-rules";
  });
}

std::string unusable(const PolicyView& view) {
  return "policy " + view.id + " cannot be used: " + view.problem;
}

// Why an agent may do nothing at all; empty: it may.
std::string refused_by(const policy::AgentRegistry& agents, const std::string& agent_id) {
  const auto objection = object_to_agent(agents, agent_id, wall_now());
  return objection ? objection->reason + " (rule " + objection->rule_id + ")" : std::string();
}

// What the Rego module `egress` of the policy says of it, and whether the policy has expired.
std::optional<HostObjection> object_by_module(Services& services, const PolicySet& decides,
                                              const std::string& agent_id, const HostPort& host) {
  const ActionVerdict said = judge_run_host(*decides.enforced, services.registry_of(decides),
                                            agent_id, host.name, wall_now());
  if (said.outcome == model::Outcome::kAllow) return {};
  return HostObjection{"policy " + decides.enforced->id + " does not permit it (rule " +
                       said.rule_id + (said.reason.empty() ? "" : ": " + said.reason) + ")"};
}

// What the policy that decides about one agent says, as fields of the greeting.
void add_rules(Services& services, const std::string& agent_id, const std::string& tenant,
               const std::string& which, const codec::http1::Head& head, RunRules& rules) {
  const PolicySet decides = services.policies_for(agent_id, tenant);
  if (std::string refusal = refused_by(services.registry_of(decides), agent_id); !refusal.empty()) {
    rules.objection = make_refusal(RefusalKind::kPolicy, std::move(refusal));
    return;
  }
  const auto& enforced = decides.enforced;
  if (!enforced) return;
  if (!enforced->bundle) {
    rules.objection = make_refusal(RefusalKind::kNotReady, unusable(*enforced));
    return;
  }
  if (enforced->is_expired(wall_now())) {
    rules.objection = make_refusal(
        RefusalKind::kPolicy,
        "policy " + enforced->id + " has expired; load a newer one (rule policy.expired)");
    return;
  }
  const policy::SandboxRules* const sandbox = enforced->bundle->sandbox();
  if (sandbox == nullptr) return;
  if (!obeys_rules(head)) {
    rules.objection = make_refusal(RefusalKind::kBadRequest,
                                   "policy " + enforced->id +
                                       " has a sandbox.yaml, which this aispm-run does not know: "
                                       "update it to the gateway's version");
    return;
  }
  rules.fields += ",\"policy" + which + "\":" + codec::json_string(enforced->id) + ",\"sandbox" +
                  which + "\":\"" + policy::as_hex(sandbox->text()) + "\"";
}

std::optional<HostObjection> object_to_host(Services& services, const std::string& agent_id,
                                            const std::string& tenant, const HostPort& host) {
  const PolicySet decides = services.policies_for(agent_id, tenant);
  if (std::string refusal = refused_by(services.registry_of(decides), agent_id); !refusal.empty())
    return HostObjection{std::move(refusal)};
  const auto& enforced = decides.enforced;
  if (!enforced) return {};
  if (!enforced->bundle) return HostObjection{unusable(*enforced), false};
  const policy::SandboxRules* const rules = enforced->bundle->sandbox();
  const policy::SandboxRule* const refusing =
      rules == nullptr ? nullptr : rules->refusing(agent_id, host);
  if (refusing == nullptr) return object_by_module(services, decides, agent_id, host);
  return HostObjection{"policy " + enforced->id + " does not permit it (rule " + refusing->id +
                       " of sandbox.yaml)"};
}

}  // namespace

RunRules find_run_rules(Client& client, const codec::http1::Head& head) {
  RunRules rules;
  Services& services = client.worker().services();
  const Caller& caller = client.caller;
  add_rules(services, caller.agent_id, caller.tenant, "", head, rules);
  for (std::size_t i = 0; i < caller.parents.size() && !rules.objection; ++i)
    add_rules(services, caller.parents[i].agent_id, caller.tenant, "_" + std::to_string(i + 1),
              head, rules);
  return rules;
}

std::optional<HostObjection> find_host_objection(Services& services, const Caller& caller,
                                                 const HostPort& host) {
  if (auto own = object_to_host(services, caller.agent_id, caller.tenant, host)) return own;
  for (const model::RunParent& parent : caller.parents)
    if (auto objection = object_to_host(services, parent.agent_id, caller.tenant, host)) {
      objection->reason += ", which counts for " + parent.agent_id + ", for whom this runs";
      return objection;
    }
  return {};
}

}  // namespace aispm::gateway
