// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/services.hpp"

#include <algorithm>
#include <ctime>

#include "sdk/core/policy/policy_book.hpp"

namespace aispm::gateway {
namespace {

// All in the book is for this host already. Whoever names no tenant is of the collector's own.
bool fits(const policy::PolicyScope& scope, std::string_view agent, std::string_view tenant) {
  const bool is_agent = scope.agents.empty() ||
                        std::any_of(scope.agents.begin(), scope.agents.end(),
                                    [&](const policy::Glob& glob) { return glob.matches(agent); });
  const bool is_tenant =
      scope.tenants.empty() || tenant.empty() ||
      std::find(scope.tenants.begin(), scope.tenants.end(), tenant) != scope.tenants.end();
  return is_agent && is_tenant;
}

}  // namespace

PolicySet Services::policies_for(std::string_view agent, std::string_view tenant) {
  PolicySet set;
  const auto book = policies.load(std::memory_order_acquire);
  if (book)
    for (const policy::AssignedPolicy& one : book->policies()) {  // by priority, then id
      if (!fits(one.scope, agent, tenant)) continue;
      const bool enforced = one.stage == policy::PolicyStage::kEnforced;
      if (enforced && set.enforced) continue;
      auto view = views.of(one.id, one.bundle, enforced, one.problem);
      if (enforced)
        set.enforced = std::move(view);
      else
        set.monitored.push_back(std::move(view));
    }
  if (!set.enforced && bundles.is_configured()) set.enforced = bundles.local();
  return set;
}

Identity Services::identify(const PolicySet& decides, std::string_view agent,
                            std::string_view delegation, std::string_view intent) const {
  const auto& bundle = decides.enforced ? decides.enforced->bundle : nullptr;
  const policy::AgentRegistry* const own = bundle ? bundle->agents() : nullptr;
  const WallTime now = wall_now();
  const std::time_t seconds = now.nanoseconds / 1'000'000'000;
  std::tm local{};
  ::localtime_r(&seconds, &local);
  return gateway::identify(own ? *own : config.decide.agents, {.agent_id = agent,
                                                               .delegation = delegation,
                                                               .intent = intent,
                                                               .denials_in_row = streaks.of(agent),
                                                               .hour = local.tm_hour,
                                                               .now = now});
}

Result<> Services::reload() {
  AISPM_TRY(RuleShelf::Loaded loaded, rules.load());
  AISPM_TRY(std::shared_ptr<const PolicyView> bundle, bundles.load());
  std::shared_ptr<const KeyStore::Keys> file_keys;
  if (!config.keys_file.empty()) {
    AISPM_TRY(file_keys, KeyStore::read_file(config.keys_file));
  }
  rules.take(std::move(loaded));
  bundles.take(std::move(bundle));
  if (file_keys) keys.take_file(*file_keys);
  sticky.clear();  // new rules may decide differently
  return {};
}

}  // namespace aispm::gateway
