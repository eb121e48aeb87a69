// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/providers/provider_shelf.hpp"

#include <algorithm>

#include "gateway/proxy/config_detect.hpp"

namespace aispm::gateway {

ProviderShelf::ProviderShelf(ProviderSet first, std::vector<ProviderConfig> configs)
    : configs_(std::move(configs)), set_(std::make_shared<const ProviderSet>(std::move(first))) {}

Result<ProviderShelf::Set> ProviderShelf::open(const std::vector<ProviderConfig>& configs,
                                               const std::map<std::string, Override>& overrides,
                                               const ProviderSet& before) {
  std::vector<ProviderConfig> wanted = configs;
  for (ProviderConfig& config : wanted) {
    const auto own = overrides.find(config.name);
    if (own == overrides.end()) continue;
    AISPM_CHECK(split_origin(own->second.origin, config.origin, config.base_path));
  }
  AISPM_TRY(ProviderSet set, ProviderSet::open(wanted, &before));
  return std::make_shared<const ProviderSet>(std::move(set));
}

Result<ProviderShelf::Prepared> ProviderShelf::prepare(std::vector<ProviderConfig> configs) const {
  Prepared prepared;
  AISPM_TRY(prepared.set, open(configs, overrides_, *current()));
  prepared.configs = std::move(configs);
  return prepared;
}

void ProviderShelf::take(Prepared prepared) {
  configs_ = std::move(prepared.configs);
  set_.store(std::move(prepared.set));
}

Result<> ProviderShelf::put(std::map<std::string, Override> overrides) {
  AISPM_TRY(Set set, open(configs_, overrides, *current()));
  overrides_ = std::move(overrides);
  set_.store(std::move(set));
  return {};
}

Result<> ProviderShelf::set_origin(const std::string& name, const std::string& origin,
                                   const std::string& who) {
  const bool is_known = std::any_of(configs_.begin(), configs_.end(),
                                    [&](const ProviderConfig& one) { return one.name == name; });
  if (!is_known) return fail(Errc::kNotFound, "no provider is called '" + name + "'");
  auto overrides = overrides_;
  overrides[name] = {.origin = origin, .who = who};
  return put(std::move(overrides));
}

Result<> ProviderShelf::unset_origin(const std::string& name) {
  auto overrides = overrides_;
  if (overrides.erase(name) == 0)
    return fail(Errc::kNotFound, "no origin was set for a provider called '" + name + "'");
  return put(std::move(overrides));
}

}  // namespace aispm::gateway
