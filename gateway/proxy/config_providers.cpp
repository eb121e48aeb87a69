// SPDX-License-Identifier: Apache-2.0
// Of `providers:` what other endpoints do not have: base paths, and clouds with ways of their own.
#include <algorithm>

#include "gateway/net/dial.hpp"
#include "gateway/proxy/config_detect.hpp"

namespace aispm::gateway {
namespace {

constexpr std::size_t kMaxBaseBytes = 256;
constexpr std::size_t kMaxDeployments = 256;
constexpr std::size_t kMaxNameBytes = 256;

bool is_path_word(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("-_./~").find(c) != std::string_view::npos;
  });
}

// Of an API version or a region: it becomes part of a URL.
std::string read_word(const YamlMap& map, const std::string& key) {
  std::string word = map.text(key, "");
  if (word.find('/') != std::string::npos || !is_path_word(word) || word.size() > 64)
    map.reject(key, "letters, digits, '-', '_' and '.' are allowed");
  return word;
}

void read_deployments(const YamlMap& map, ProviderConfig& provider) {
  const YamlMap names = map.map("deployments");
  for (const std::string& model : names.keys()) {
    std::string name = names.required_text(model);
    if (name.empty() || name.size() > kMaxNameBytes || !is_header_value(name))
      return names.reject(model, "must be 1 to 256 visible characters without spaces");
    provider.deployments.emplace(model, std::move(name));
  }
  if (provider.deployments.size() > kMaxDeployments)
    map.reject("deployments", "more than 256 models");
}

void read_azure(const YamlMap& map, ProviderConfig& provider) {
  if (provider.dialect != Dialect::kOpenAi) map.reject("service", "azure speaks `dialect: openai`");
  if (!provider.base_path.empty()) map.reject("origin", "azure's has no path");
  provider.api_version = read_word(map, "api_version");
}

void read_bedrock(const YamlMap& map, ProviderConfig& provider) {
  if (provider.dialect != Dialect::kAnthropic)
    map.reject("service", "bedrock is served to `dialect: anthropic`");
  if (!provider.base_path.empty()) map.reject("origin", "bedrock's has no path");
  provider.region = read_word(map, "region");
  if (provider.region.empty()) map.reject("", "bedrock needs a region, such as us-east-1");
  const Secret id = read_secret(map, "access_key_id", provider.missing_key);
  provider.access_key_id = id.expose();
  provider.session_token = read_secret(map, "session_token", provider.missing_key);
  const bool is_complete = !provider.key.empty() && !provider.access_key_id.empty();
  if (!is_complete && provider.missing_key.empty())
    map.reject("", "bedrock needs access_key_id_file (or _env) and key_file (or _env)");
}

}  // namespace

Result<> split_origin(const std::string& text, std::string& origin, std::string& base_path) {
  const auto host = text.find("://");
  const auto slash = host == std::string::npos ? host : text.find('/', host + 3);
  std::string path = slash == std::string::npos ? std::string() : text.substr(slash);
  std::string root = text.substr(0, slash);
  while (path.ends_with('/')) path.pop_back();
  if (path.size() > kMaxBaseBytes || !is_path_word(path) || path.find("//") != std::string::npos ||
      path.find("..") != std::string::npos)
    return fail(Errc::kInvalid, "origin '" + text +
                                    "': its path may have letters, digits, '-', '_', '.' and '~'; "
                                    "allowed: https://host[:port][/path]");
  AISPM_CHECK(net::parse_origin(root));
  origin = std::move(root);
  base_path = std::move(path);
  return {};
}

void read_provider_endpoint(const YamlMap& map, ProviderConfig& provider) {
  read_endpoint(map, provider, true);
  const std::string service = map.choice("service", "none", {"none", "azure", "bedrock"});
  if (service == "none") return;
  provider.service = service == "azure" ? Service::kAzure : Service::kBedrock;
  read_deployments(map, provider);
  if (provider.service == Service::kAzure)
    read_azure(map, provider);
  else
    read_bedrock(map, provider);
}

}  // namespace aispm::gateway
