// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/providers/provider.hpp"

#include <algorithm>
#include <tuple>

#include "sdk/core/common/crypto.hpp"
#include "sdk/core/common/file.hpp"
#include "sdk/core/policy/glob.hpp"

namespace aispm::gateway {
namespace {

constexpr std::size_t kMaxCaBytes = 4U << 20;

// OpenTelemetry's names for those who have one.
std::string event_name(const ProviderConfig& config, const net::Origin& origin) {
  const std::string name(name_of(config.dialect));
  if (config.service == Service::kAzure) return "azure.ai.openai";
  if (config.service == Service::kBedrock) return "aws.bedrock";
  if (config.dialect == Dialect::kOllama) return name;  // everybody's own server
  if (origin.host == "generativelanguage.googleapis.com") return "gcp.gemini";
  if (origin.host.ends_with("aiplatform.googleapis.com")) return "gcp.vertex_ai";
  const std::string own =
      config.dialect == Dialect::kOpenAi ? "api.openai.com" : "api.anthropic.com";
  return origin.host == own ? name : name + "-compatible";
}

std::string_view key_header(const ProviderConfig& config) {
  if (config.service == Service::kAzure) return "api-key: ";
  switch (config.dialect) {
    case Dialect::kAnthropic:
      return "x-api-key: ";
    case Dialect::kGemini:
      return "x-goog-api-key: ";
    default:
      return "authorization: Bearer ";
  }
}

std::string request_lines(const ProviderConfig& config, const std::string& authority) {
  std::string lines = "host: " + authority + "\r\n";
  // Bedrock's key signs each request and is never sent.
  if (config.key.empty() || config.service == Service::kBedrock) return lines;
  lines += key_header(config);
  return lines.append(config.key.expose()).append("\r\n");
}

// "" where the system's store is used, or the file cannot be read: then opening says so.
std::string digest_of(const std::string& ca_file) {
  if (ca_file.empty()) return {};
  const auto content = read_file(ca_file, kMaxCaBytes);
  return content ? sha256_hex(*content) : std::string();
}

}  // namespace

Result<std::shared_ptr<Provider>> Provider::open(const ProviderConfig& config) {
  std::shared_ptr<Provider> provider(new Provider(config));
  AISPM_TRY(provider->origin_, net::parse_origin(config.origin));
  if (provider->origin_.tls) {
    provider->ca_digest_ = digest_of(config.ca_file);
    AISPM_TRY(provider->tls_, net::make_tls_context(config.ca_file));
  }
  provider->authority_ = provider->origin_.authority();
  provider->event_name_ = gateway::event_name(config, provider->origin_);
  provider->lines_ = Secret(gateway::request_lines(config, provider->authority_));
  return provider;
}

bool Provider::is_as(const ProviderConfig& config) const {
  const auto facts = [](const ProviderConfig& one) {
    return std::tie(one.name, one.dialect, one.service, one.origin, one.base_path, one.ca_file,
                    one.missing_key, one.allow_private, one.models, one.deployments,
                    one.api_version, one.region, one.access_key_id);
  };
  return facts(config_) == facts(config) && config_.key.expose() == config.key.expose() &&
         config_.session_token.expose() == config.session_token.expose() &&
         (!tls_ || ca_digest_ == digest_of(config.ca_file));
}

void Provider::note_failure(const std::string& why) {
  last_failure_.store(std::make_shared<const std::string>(why));
  failing_.store(true, std::memory_order_relaxed);
}

std::string Provider::last_failure() const {
  const auto why = last_failure_.load();
  return why ? *why : std::string();
}

Result<ProviderSet> ProviderSet::open(const std::vector<ProviderConfig>& configs,
                                      const ProviderSet* before) {
  ProviderSet set;
  for (const ProviderConfig& config : configs) {
    if (before != nullptr) {
      const auto same = std::find_if(before->providers_.begin(), before->providers_.end(),
                                     [&](const auto& provider) { return provider->is_as(config); });
      if (same != before->providers_.end()) {
        set.providers_.push_back(*same);
        continue;
      }
    }
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
