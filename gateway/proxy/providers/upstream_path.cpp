// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/providers/upstream_path.hpp"

namespace aispm::gateway {
namespace {

using codec::Api;

constexpr std::string_view kVersion = "/v1";

Result<std::string> refuse(const ProviderConfig& config, const ClientTarget& asked) {
  return fail(Errc::kNotFound, "provider " + config.name + " serves nothing at " +
                                   std::string(asked.path) + ": its cloud has no such API");
}

// The model as one segment of a path. A client chooses its name, and some names would lead
// elsewhere at the provider, escaped or not.
Result<std::string> segment_of(const ProviderConfig& config, std::string_view model) {
  const std::string_view name = deployment_of(config, model);
  if (leads_elsewhere(name))
    return fail(Errc::kNotFound,
                "provider " + config.name + " has no model '" + std::string(name) + "'");
  return percent_encoded(name);
}

// "/v1/chat/completions" without its version.
std::string_view without_version(std::string_view path) {
  return path.starts_with("/v1/") ? path.substr(kVersion.size()) : path;
}

Result<std::string> azure_target(const ProviderConfig& config, const ClientTarget& asked) {
  const bool has_it = asked.is_list || asked.api == Api::kOpenAiChat ||
                      asked.api == Api::kOpenAiCompletions || asked.api == Api::kOpenAiEmbeddings ||
                      asked.api == Api::kOpenAiResponses;
  if (!has_it) return refuse(config, asked);
  const std::string_view rest = without_version(asked.path);
  if (config.api_version.empty())
    return "/openai/v1" + std::string(rest) + std::string(asked.query);
  std::string target = "/openai";
  if (!asked.is_list && asked.api != Api::kOpenAiResponses) {
    AISPM_TRY(const std::string deployment, segment_of(config, asked.model));
    target += "/deployments/" + deployment;
  }
  return target.append(rest).append("?api-version=").append(config.api_version);
}

Result<std::string> bedrock_target(const ProviderConfig& config, const ClientTarget& asked) {
  if (asked.is_list || asked.api != Api::kAnthropicMessages) return refuse(config, asked);
  AISPM_TRY(const std::string model, segment_of(config, asked.model));
  return "/model/" + model + (asked.streams ? "/invoke-with-response-stream" : "/invoke");
}

}  // namespace

std::string_view deployment_of(const ProviderConfig& config, std::string_view model) {
  if (config.deployments.empty()) return model;
  const auto found = config.deployments.find(std::string(model));
  return found == config.deployments.end() ? model : std::string_view(found->second);
}

bool leads_elsewhere(std::string_view segment) {
  return segment.empty() || segment == "." || segment == "..";
}

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool is_plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                          (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.' || c == '~';
    if (is_plain) {
      out.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out.append({'%', kDigits[byte >> 4U], kDigits[byte & 15U]});
  }
  return out;
}

Result<std::string> target_at(const ProviderConfig& config, const ClientTarget& asked) {
  if (config.service == Service::kAzure) return azure_target(config, asked);
  if (config.service == Service::kBedrock) return bedrock_target(config, asked);
  const std::string& base = config.base_path;
  std::string_view path = asked.path;
  if (!base.empty()) {
    // As clients' own base URLs: OpenAI's hold the version, others' do not; nobody means it twice.
    const std::string_view first = path.substr(0, path.find('/', 1));
    const bool is_said = base.ends_with(first);
    if (config.dialect == Dialect::kOpenAi) path = without_version(path);
    if (config.dialect != Dialect::kOpenAi && is_said) path.remove_prefix(first.size());
  }
  return base + std::string(path) + std::string(asked.query);
}

}  // namespace aispm::gateway
