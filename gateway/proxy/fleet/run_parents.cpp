// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/fleet/run_parents.hpp"

#include "gateway/net/proxy_header.hpp"
#include "sdk/core/codec/json_edit.hpp"
#include "sdk/core/policy/freeze_book.hpp"

namespace aispm::gateway {

std::optional<Refusal> bind_to_parent(Client& client) {
  if (client.named_parent.empty()) return {};
  Services& services = client.worker().services();
  Caller& caller = client.caller;
  auto chain = services.runs.find(client.named_parent);
  // Whose it is is not told: others' sessions are none of this user's business.
  const bool is_own = chain && policy::user_of_agent(chain->back().agent_id) ==
                                   policy::user_of_agent(caller.agent_id);
  if (!is_own)
    return make_refusal(RefusalKind::kForbidden,
                        "no run of yours with the session " + client.named_parent +
                            " goes on at this gateway (--parent, or AISPM_SESSION_ID of the "
                            "environment)");
  caller.parents = std::move(*chain);
  if (caller.parents.size() > net::kMaxRunParents)
    return make_refusal(RefusalKind::kForbidden, "runs may run for each other " +
                                                     std::to_string(net::kMaxRunParents) +
                                                     " deep, and this would be deeper");
  const PolicySet decides = services.policies_for(caller.agent_id, caller.tenant);
  if (const auto objection =
          object_to_parents(services.registry_of(decides), caller.agent_id, caller.parents))
    return Refusal{.kind = RefusalKind::kForbidden,
                   .message = objection->reason,
                   .decision = "deny",
                   .case_id = {}};
  return {};
}

std::string parents_field(const Caller& caller) {
  if (caller.parents.empty()) return "";
  std::string words;
  for (const model::RunParent& parent : caller.parents)
    words += (words.empty() ? "" : " ") + parent.session_id + " " + parent.agent_id;
  return ",\"parents\":" + codec::json_string(words);
}

}  // namespace aispm::gateway
