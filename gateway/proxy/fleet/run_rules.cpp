// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/fleet/run_rules.hpp"

#include <algorithm>

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

// Why an agent may do nothing at all, by the registry of the bundle that decides, else by this
// host's own; empty: it may. `view` may be null.
std::string refused_by_registry(const Services& services, const PolicyView* view,
                                const Caller& caller) {
  const policy::AgentRegistry* const own =
      view != nullptr && view->bundle ? view->bundle->agents() : nullptr;
  const policy::AgentRegistry& agents = own ? *own : services.config.decide.agents;
  const policy::RegisteredAgent* const known = agents.find(caller.agent_id);
  const WallTime now = wall_now();
  if (known == nullptr || known->refused_by(now).empty()) return {};
  return caller.agent_id + ": " + policy::refusal_of(*known, now) + " (rule " +
         std::string(known->refused_by(now)) + ")";
}

}  // namespace

RunRules find_run_rules(Client& client, const codec::http1::Head& head) {
  RunRules rules;
  Services& services = client.worker().services();
  const auto enforced =
      services.policies_for(client.caller.agent_id, client.caller.tenant).enforced;
  if (std::string refusal = refused_by_registry(services, enforced.get(), client.caller);
      !refusal.empty()) {
    rules.objection = make_refusal(RefusalKind::kPolicy, std::move(refusal));
    return rules;
  }
  if (!enforced) return rules;
  if (!enforced->bundle) {
    rules.objection = make_refusal(RefusalKind::kNotReady, unusable(*enforced));
    return rules;
  }
  const policy::SandboxRules* const sandbox = enforced->bundle->sandbox();
  if (sandbox == nullptr) return rules;
  if (!obeys_rules(head)) {
    rules.objection = make_refusal(RefusalKind::kBadRequest,
                                   "policy " + enforced->id +
                                       " has a sandbox.yaml, which this aispm-run does not know: "
                                       "update it to the gateway's version");
    return rules;
  }
  rules.fields = ",\"policy\":" + codec::json_string(enforced->id) + ",\"sandbox\":\"" +
                 policy::as_hex(sandbox->text()) + "\"";
  return rules;
}

std::optional<HostObjection> find_host_objection(Services& services, const Caller& caller,
                                                 const HostPort& host) {
  const auto enforced = services.policies_for(caller.agent_id, caller.tenant).enforced;
  if (std::string refusal = refused_by_registry(services, enforced.get(), caller); !refusal.empty())
    return HostObjection{std::move(refusal)};
  if (!enforced) return {};
  if (!enforced->bundle) return HostObjection{unusable(*enforced), false};
  const policy::SandboxRules* const rules = enforced->bundle->sandbox();
  const policy::SandboxRule* const refusing =
      rules == nullptr ? nullptr : rules->refusing(caller.agent_id, host);
  if (refusing == nullptr) return {};
  return HostObjection{"policy " + enforced->id + " does not permit it (rule " + refusing->id +
                       " of sandbox.yaml)"};
}

}  // namespace aispm::gateway
