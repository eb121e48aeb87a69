// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/decide/watched_context.hpp"

#include <algorithm>
#include <ctime>

namespace aispm::gateway {
namespace {

int hour_of(WallTime now) {
  const std::time_t seconds = now.nanoseconds / 1'000'000'000;
  std::tm local{};
  ::localtime_r(&seconds, &local);
  return local.tm_hour;
}

void keep_common(std::vector<std::string>& names, const std::vector<std::string>& others) {
  std::erase_if(names, [&](const std::string& name) {
    return std::find(others.begin(), others.end(), name) == others.end();
  });
}

}  // namespace

WatchedContext::WatchedContext(const PolicyView& policy, const ActionContext& usual, WallTime now)
    : policy_(policy), context_(usual) {
  const bool has_own = policy.bundle && policy.bundle->has_agents_file();
  const policy::AgentRegistry* const registry = has_own ? policy.bundle->agents() : nullptr;
  if (registry == nullptr) return;
  Identity own =
      identify(*registry, {.agent_id = usual.agent_id, .hour = hour_of(now), .now = now});
  facts_ = std::move(own.facts);
  context_.facts = &facts_;
  context_.is_registered = own.is_registered;
  context_.max_delegation = own.max_delegation;
  if (usual.delegation_depth == 0) {
    objection_ = std::move(own.objection);
    return;
  }
  if (usual.delegation_depth > own.max_delegation)
    objection_.emplace("agent.delegation", "The task was handed on more than " +
                                               std::to_string(own.max_delegation) + " times");
  if (usual.facts == nullptr) return;
  keep_common(facts_.roles, usual.facts->roles);
  keep_common(facts_.scopes, usual.facts->scopes);
  facts_.trust = std::min(facts_.trust, usual.facts->trust);
}

ActionVerdict WatchedContext::ask(
    const std::function<ActionVerdict(const ActionContext&)>& judge) const {
  if (!objection_) return judge(context_);
  ActionVerdict denied;
  denied.outcome = model::Outcome::kDeny;
  denied.rule_id = objection_->rule_id;
  denied.reason = objection_->reason;
  denied.policy_id = policy_.id;
  denied.policy_version = policy_.version();
  return denied;
}

}  // namespace aispm::gateway
