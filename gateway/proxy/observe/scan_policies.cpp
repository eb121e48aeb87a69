// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/observe/scan_policies.hpp"

#include <algorithm>

#include "sdk/core/policy/glob.hpp"

namespace aispm::gateway {
namespace {

bool is_for(const ScanPolicyConfig& config, std::string_view tenant) {
  return config.tenants.empty() ||
         std::any_of(config.tenants.begin(), config.tenants.end(),
                     [&](const std::string& glob) { return policy::Glob(glob).matches(tenant); });
}

}  // namespace

Result<ScanPolicies::Loaded> ScanPolicies::load() const {
  Loaded loaded;
  for (const auto& [name, config] : configs_) {
    auto read = policy::Policy::load(config.file);
    // What is wrong within it names its own line.
    if (!read && read.error().code != Errc::kInvalid && !config.where.empty())
      return fail(read.error().code, config.where + ": " + read.error().message);
    AISPM_TRY(loaded[name], std::move(read));
  }
  return loaded;
}

void ScanPolicies::take(Loaded loaded) {
  const std::lock_guard lock(mutex_);
  loaded_ = std::move(loaded);
  kept_.clear();
}

Result<std::shared_ptr<const RuleBook>> ScanPolicies::apply(
    std::string_view name, std::string_view tenant, const std::shared_ptr<const RuleBook>& book) {
  const std::lock_guard lock(mutex_);
  const auto policy = loaded_.find(name);
  const auto config = configs_.find(name);
  if (policy == loaded_.end() || config == configs_.end() || !is_for(config->second, tenant))
    return fail(Errc::kNotFound,
                "policy_id: there is no such policy for this agent; policies are "
                "named in `scan: policies:` of the gateway's configuration, or distributed by the "
                "collector");
  const std::pair<std::string, const RuleBook*> key(std::string(name), book.get());
  if (const auto known = kept_.find(key); known != kept_.end() && known->second.from.lock() == book)
    return known->second.made;
  auto made = std::make_shared<RuleBook>();
  made->engine = book->engine;
  made->policy = policy->second;
  made->tenant = book->tenant;
  made->own = book->own;
  made->additions = book->additions;
  made->guardrails = book->guardrails;
  made->generation = book->generation;
  for (std::size_t i = 0; i < detect::kLayerCount; ++i)
    made->own.layers[i] = made->own.layers[i] && config->second.layers[i];
  if (made->policy->same_for_all(policy::Direction::kRequest) &&
      made->policy->same_for_all(policy::Direction::kReply))
    made->for_all = made->make_tables({});
  std::erase_if(kept_, [](const auto& one) { return one.second.from.expired(); });
  if (kept_.size() >= kMaxKept) kept_.clear();
  kept_[key] = {book, made};
  return std::shared_ptr<const RuleBook>(std::move(made));
}

}  // namespace aispm::gateway
