// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/services.hpp"

#include <algorithm>
#include <ctime>

#include "gateway/proxy/client.hpp"
#include "gateway/proxy/observe/observatory.hpp"
#include "gateway/proxy/traffic/traffic.hpp"
#include "sdk/core/policy/policy_book.hpp"

namespace aispm::gateway {

void Services::open_observatory() { observatory = std::make_shared<Observatory>(config.observe); }

PolicySet Services::policies_for(std::string_view agent, std::string_view tenant) {
  PolicySet set;
  if (const auto book = policies.load()) {
    // Whoever names no tenant is of the collector's own.
    const auto frozen = freezes.load();
    const auto choice = book->choose(agent, tenant.empty() ? frozen->tenant() : tenant);
    const auto view = [&](const policy::AssignedPolicy& one, bool enforced) {
      return views.of(one.id, one.bundle, enforced, one.problem);
    };
    // The registry alone decides where nothing else does; this host's own bundle has it, too.
    const bool is_for_others = choice.enforced != nullptr && choice.enforced->bundle &&
                               choice.enforced->id == policy::kRegistryPolicy;
    if (is_for_others) set.enforced = bundles.local();
    if (choice.enforced != nullptr && !set.enforced) set.enforced = view(*choice.enforced, true);
    for (const policy::AssignedPolicy* one : choice.monitored)
      set.monitored.push_back(view(*one, false));
  }
  if (!set.enforced && bundles.is_configured()) set.enforced = bundles.local();
  return set;
}

std::optional<PolicySet> Services::find_policy(std::string_view id, std::string_view tenant) {
  const auto book = policies.load();
  if (!book) return std::nullopt;
  const auto frozen = freezes.load();
  const std::string_view own = tenant.empty() ? frozen->tenant() : tenant;
  const policy::AssignedPolicy* found = nullptr;
  for (const policy::AssignedPolicy& one : book->policies()) {
    const auto& tenants = one.scope.tenants;
    const bool is_for =
        tenants.empty() || std::find(tenants.begin(), tenants.end(), own) != tenants.end();
    if (one.id != id || !is_for) continue;
    // Of two versions the one in force.
    if (found == nullptr || one.stage == policy::PolicyStage::kEnforced) found = &one;
  }
  if (found == nullptr) return std::nullopt;
  PolicySet set;
  set.enforced = views.of(found->id, found->bundle, true, found->problem);
  return set;
}

const policy::AgentRegistry& Services::registry_of(const PolicySet& decides) const {
  const auto& bundle = decides.enforced ? decides.enforced->bundle : nullptr;
  const policy::AgentRegistry* const own = bundle ? bundle->agents() : nullptr;
  return own ? *own : config.decide.agents;
}

namespace {

// Asked for once a minute and thread: the C library looks under a lock, and hours begin with a
// minute in all time zones in use.
int local_hour(WallTime now) {
  thread_local std::time_t known_minute = -1;
  thread_local int hour = 0;
  const std::time_t seconds = now.nanoseconds / 1'000'000'000;
  if (known_minute != seconds / 60) {
    std::tm local{};
    ::localtime_r(&seconds, &local);
    hour = local.tm_hour;
    known_minute = seconds / 60;
  }
  return hour;
}

}  // namespace

Identity Services::identify(const PolicySet& decides, const Caller& caller,
                            std::string_view delegation, std::string_view intent) const {
  const WallTime now = wall_now();
  const auto frozen = freezes.load();
  return gateway::identify(registry_of(decides), {.agent_id = caller.agent_id,
                                                  .parents = caller.parents,
                                                  .delegation = delegation,
                                                  .intent = intent,
                                                  .freezes = frozen.get(),
                                                  .denials_in_row = streaks.of(caller.key()),
                                                  .hour = local_hour(now),
                                                  .now = now});
}

Result<> Services::load_rules() {
  AISPM_TRY(ScanPolicies::Loaded scan_policies, observatory->scan_policies.load());
  observatory->scan_policies.take(std::move(scan_policies));
  return rules.reload(detect_part(bundles.local().get()));
}

namespace {

// What the file says now; before it is read anew, what it said at the start.
Result<ProviderShelf::Prepared> read_providers(const Config& config, const ProviderShelf& shelf) {
  if (config.source.empty()) return shelf.prepare(config.providers);
  AISPM_TRY(Config read, load_config(config.source));
  return shelf.prepare(std::move(read.providers));
}

}  // namespace

Result<> Services::reload_providers() {
  const auto lock = providers.lock();
  AISPM_TRY(ProviderShelf::Prepared prepared, read_providers(config, providers));
  providers.take(std::move(prepared));
  return {};
}

Result<> Services::reload() {
  const auto lock = providers.lock();
  AISPM_TRY(ProviderShelf::Prepared prepared, read_providers(config, providers));
  AISPM_TRY(std::shared_ptr<const PolicyView> bundle, bundles.load());
  AISPM_TRY(RuleShelf::Loaded loaded, rules.load(detect_part(bundle.get())));
  AISPM_TRY(ScanPolicies::Loaded scan_policies, observatory->scan_policies.load());
  std::shared_ptr<const KeyStore::Keys> file_keys;
  if (!config.keys_file.empty()) {
    AISPM_TRY(file_keys, KeyStore::read_file(config.keys_file));
  }
  observatory->scan_policies.take(std::move(scan_policies));
  providers.take(std::move(prepared));
  rules.take(std::move(loaded));
  bundles.take(std::move(bundle));
  if (file_keys) keys.take_file(*file_keys);
  sticky.clear();  // new rules may decide differently
  if (traffic) traffic->cache().clear();
  return {};
}

}  // namespace aispm::gateway
