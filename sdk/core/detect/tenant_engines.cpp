// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/detect/tenant_engines.hpp"

#include "sdk/core/common/crypto.hpp"
#include "sdk/core/detect/pack.hpp"

namespace aispm::detect {

Result<std::unique_ptr<TenantEngines>> TenantEngines::open(std::string folder,
                                                           DatabaseCache cache) {
  std::unique_ptr<TenantEngines> engines(new TenantEngines(std::move(folder), std::move(cache)));
  AISPM_CHECK(engines->reload());
  return engines;
}

std::shared_ptr<const Engine> TenantEngines::engine_of(std::string_view tenant) const {
  const std::lock_guard lock(mutex_);
  const auto own = tenants_.find(tenant);
  return own == tenants_.end() ? shared_ : own->second.engine;
}

Result<std::shared_ptr<const Engine>> TenantEngines::compile(const std::string& tenant,
                                                             const std::string& pack) {
  AISPM_TRY(RuleSet rules, load_packs(folder_));
  const bool is_custom = !pack.empty();
  rules.shared_rules = rules.rules.size();
  if (is_custom) {
    AISPM_CHECK(parse_pack(pack, tenant, rules));
    rules.version = sha256_hex(rules.version + sha256_hex(pack));
  }
  AISPM_TRY(std::shared_ptr<const Engine> engine, Engine::compile(std::move(rules), &cache_));
  if (is_custom) AISPM_CHECK(engine->verify());
  return engine;
}

Result<> TenantEngines::set_rules(const std::string& tenant, const std::string& pack) {
  if (pack.size() > kMaxCustomBytes)
    return fail(Errc::kTooLarge, tenant + ": rules of one tenant may have at most " +
                                     std::to_string(kMaxCustomBytes) + " bytes");
  const std::lock_guard change(changes_);
  {
    const std::lock_guard lock(mutex_);
    if (pack.empty()) {
      tenants_.erase(tenant);
      return {};
    }
    if (tenants_.size() >= kMaxTenants && !tenants_.contains(tenant))
      return fail(Errc::kTooLarge, "at most " + std::to_string(kMaxTenants) +
                                       " tenants may have rules of their own");
  }
  AISPM_TRY(std::shared_ptr<const Engine> engine, compile(tenant, pack));
  const std::lock_guard lock(mutex_);
  tenants_[tenant] = {pack, std::move(engine)};
  return {};
}

Result<> TenantEngines::reload() {
  const std::lock_guard change(changes_);
  AISPM_TRY(std::shared_ptr<const Engine> shared, compile("", ""));
  Tenants next;
  {
    const std::lock_guard lock(mutex_);
    next = tenants_;
  }
  for (auto& [tenant, custom] : next) {
    AISPM_TRY(custom.engine, compile(tenant, custom.pack));
  }
  const std::lock_guard lock(mutex_);
  shared_ = std::move(shared);
  tenants_ = std::move(next);
  return {};
}

}  // namespace aispm::detect
