// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/providers/provider.hpp"

#include <algorithm>

#include "sdk/core/policy/glob.hpp"

namespace aispm::gateway {
namespace {

std::string event_name(const ProviderConfig& config, const net::Origin& origin) {
  const std::string name(name_of(config.dialect));
  if (config.dialect == Dialect::kOllama) return name;  // everybody's own server
  const std::string own =
      config.dialect == Dialect::kOpenAi ? "api.openai.com" : "api.anthropic.com";
  return origin.host == own ? name : name + "-compatible";
}

std::string request_lines(const ProviderConfig& config, const std::string& authority) {
  std::string lines = "host: " + authority + "\r\n";
  if (config.key.empty()) return lines;
  lines += config.dialect == Dialect::kAnthropic ? "x-api-key: " : "authorization: Bearer ";
  return lines.append(config.key.expose()).append("\r\n");
}

}  // namespace

Result<std::shared_ptr<Provider>> Provider::open(const ProviderConfig& config) {
  std::shared_ptr<Provider> provider(new Provider(config));
  AISPM_TRY(provider->origin_, net::parse_origin(config.origin));
  if (provider->origin_.tls) {
    AISPM_TRY(provider->tls_, net::make_tls_context(config.ca_file));
  }
  provider->authority_ = provider->origin_.authority();
  provider->event_name_ = gateway::event_name(config, provider->origin_);
  provider->lines_ = Secret(gateway::request_lines(config, provider->authority_));
  return provider;
}

void Provider::note_failure(const std::string& why) {
  last_failure_.store(std::make_shared<const std::string>(why), std::memory_order_release);
  failing_.store(true, std::memory_order_relaxed);
}

std::string Provider::last_failure() const {
  const auto why = last_failure_.load(std::memory_order_acquire);
  return why ? *why : std::string();
}

Result<ProviderSet> ProviderSet::open(const std::vector<ProviderConfig>& configs) {
  ProviderSet set;
  for (const ProviderConfig& config : configs) {
    auto provider = Provider::open(config);
    if (!provider)
      return fail(Errc::kInvalid, "provider " + config.name + ": " + provider.error().message);
    set.providers_.push_back(std::move(*provider));
  }
  return set;
}

Provider* ProviderSet::choose(Dialect dialect, std::string_view model, std::size_t& index) const {
  const auto find = [&](auto accepts) -> Provider* {
    for (index = 0; index < providers_.size(); ++index) {
      const ProviderConfig& config = providers_[index]->config();
      if (config.dialect == dialect && accepts(config)) return providers_[index].get();
    }
    return nullptr;
  };
  Provider* routed = find([&](const ProviderConfig& config) {
    return std::any_of(config.models.begin(), config.models.end(),
                       [&](const std::string& glob) { return policy::glob_matches(glob, model); });
  });
  return routed ? routed : find([](const ProviderConfig& config) { return config.models.empty(); });
}

}  // namespace aispm::gateway
