// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/config.hpp"

#include <algorithm>
#include <cstdlib>

#include "sdk/core/common/ed25519.hpp"
#include "sdk/core/common/file.hpp"
#include "sdk/core/common/yaml.hpp"

namespace aispm::collector {
namespace {

std::string default_state_folder() {
  const char* const state = std::getenv("AISPM_STATE");
  return std::string(state != nullptr && *state != '\0' ? state : "/var/lib/aispm") + "/collector";
}

bool is_name(const std::string& text) {
  return !text.empty() && text.size() <= 128 && std::ranges::all_of(text, [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-' || c == ':';
  });
}

bool is_host_and_port(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == text.size() ||
      text.size() - colon > 6)
    return false;
  const std::string digits = text.substr(colon + 1);
  return std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; }) &&
         std::stoul(digits) <= 65535;
}

bool is_loopback(const std::string& address) {
  return address == "localhost" || address == "::1" || address.starts_with("127.");
}

constexpr std::size_t kMaxKeyFileBytes = 16U << 10;
constexpr std::size_t kMaxPolicyKeys = 32;

void read_policies(const YamlMap& policies, Config& config) {
  for (const std::string& path : policies.texts("trusted_keys")) {
    auto pem = read_file(path, kMaxKeyFileBytes);
    if (pem) {
      if (auto key = ed25519::key_id(*pem); !key) pem = fail(key.error());
    }
    if (!pem)
      policies.reject("trusted_keys", path + ": " + pem.error().message);
    else
      config.policy_keys.push_back(std::move(*pem));
  }
  if (config.policy_keys.size() > kMaxPolicyKeys)
    policies.reject("trusted_keys", "more than 32 keys");
  if (const std::string path = policies.text("registry_key", ""); !path.empty()) {
    auto pem = read_file(path, kMaxKeyFileBytes);
    if (pem) {
      config.registry_key = Secret(std::move(*pem));
      if (auto key = ed25519::public_of(config.registry_key); !key)
        policies.reject("registry_key", path + ": " + key.error().message);
    } else {
      policies.reject("registry_key", path + ": " + pem.error().message);
    }
  }
  config.policies_must_be_signed = policies.flag("must_be_signed", false);
  if (config.policies_must_be_signed && config.policy_keys.empty())
    policies.reject("must_be_signed", "no key is trusted: name one in `trusted_keys`");
}

void read_http(const YamlMap& http, Config& config) {
  config.http_address = http.text("address", config.http_address);
  config.http_port = static_cast<std::uint16_t>(http.integer("port", config.http_port, {0, 65535}));
  const bool is_allowed = http.flag("allow_plaintext", false);
  if (!is_loopback(config.http_address) && !is_allowed)
    http.reject("address", "`" + config.http_address +
                               "`: tokens would cross the network in clear; allowed is a loopback "
                               "address behind a TLS proxy, "
                               "or any address together with `allow_plaintext: true`");
}

void read_redteam(const YamlMap& root, RedTeamConfig& redteam) {
  if (!root.has("redteam")) return;
  const YamlMap map = root.map("redteam");
  redteam.gateway = map.required_text("gateway");
  if (!redteam.gateway.starts_with("http://") && !redteam.gateway.starts_with("https://"))
    map.reject("gateway", "allowed is http://host:port or https://host:port");
  redteam.key_file = map.required_text("key_file");
  redteam.ca_file = map.text("ca_file", "");
  redteam.program = map.text("program", "");
}

void read_receiver(const YamlMap& map, NotifyConfig& notify) {
  constexpr std::size_t kMaxSecretBytes = 4096;
  notify.url = map.text("url", "");
  notify.ca_file = map.text("ca_file", "");
  notify.link = map.text("link", "");
  notify.allow_private = map.flag("allow_private", false);
  const std::string path = map.text("secret_file", "");
  for (const std::string& kind : map.texts("kinds")) {
    if (kind != "approval" && kind != "human")
      map.reject("kinds", "`" + kind + "`: allowed are approval, human");
    notify.kinds.push_back(kind);
  }
  notify.roles = map.texts("approver_roles");
  for (const std::string& agent : map.texts("agents")) notify.agents.emplace_back(agent);
  if (notify.url.empty()) return;
  if (path.empty()) return map.reject("secret_file", "is needed: what is sent is signed");
  auto secret = read_file(path, kMaxSecretBytes);
  if (!secret) return map.reject("secret_file", secret.error().message);
  secret->erase(secret->find_last_not_of(" \r\n\t") + 1);
  if (secret->size() < 16) return map.reject("secret_file", "must hold at least 16 characters");
  notify.secret = Secret(std::move(*secret));
}

// `notify` is one receiver, `receivers` a list of them with names.
void read_receivers(const YamlMap& approvals, std::vector<NotifyConfig>& receivers) {
  NotifyConfig only;
  read_receiver(approvals.map("notify"), only);
  if (!only.url.empty()) receivers.push_back(std::move(only));
  for (const YamlMap& map : approvals.maps("receivers")) {
    NotifyConfig one;
    one.name = map.required_text("name");
    read_receiver(map, one);
    if (!is_name(one.name))
      map.reject("name", "allowed are 1..128 characters of A-Z a-z 0-9 . _ -");
    if (one.url.empty()) map.reject("url", "is needed");
    for (const NotifyConfig& other : receivers)
      if (other.name == one.name)
        map.reject("name",
                   "`" + one.name + "` is given twice (`notify` is the name of the single form)");
    receivers.push_back(std::move(one));
  }
  if (receivers.size() > NotifyConfig::kMaxReceivers)
    approvals.reject("receivers",
                     "at most " + std::to_string(NotifyConfig::kMaxReceivers) + " receivers");
}

}  // namespace

Result<Config> parse_config(const std::string& content, const std::string& name) {
  AISPM_TRY(const YamlMap root, YamlMap::parse(content, name));
  Config config;
  config.state_folder = root.text("state_folder", default_state_folder());
  if (!config.state_folder.starts_with('/'))
    root.reject("state_folder", "allowed is an absolute path");

  const YamlMap grpc = root.map("grpc");
  config.grpc_address = grpc.text("address", config.grpc_address);
  if (!is_host_and_port(config.grpc_address))
    grpc.reject("address",
                "`" + config.grpc_address + "`: allowed is host:port, e.g. 127.0.0.1:7443");
  read_http(root.map("http"), config);

  config.names = root.texts("names");
  for (const auto& host : config.names)
    if (!is_name(host))
      root.reject("names", "`" + host + "`: allowed are DNS names and IP addresses");
  config.tenant = root.text("tenant", config.tenant);
  if (!is_name(config.tenant) || config.tenant.find(':') != std::string::npos)
    root.reject("tenant",
                "`" + config.tenant + "`: allowed are 1..128 characters of A-Z a-z 0-9 . _ -");
  config.dashboard_folder = root.text("dashboard_folder", "");

  const YamlMap retention = root.map("retention");
  config.retention.max_age = std::chrono::duration_cast<std::chrono::hours>(
      retention.duration("max_age", std::chrono::milliseconds(config.retention.max_age)));
  if (config.retention.max_age < std::chrono::hours(1))
    retention.reject("max_age", "allowed is 1h or more");
  config.retention.max_bytes =
      retention.size_bytes("max_bytes", config.retention.max_bytes, 1ULL << 44);
  if (config.retention.max_bytes < (64ULL << 20))
    retention.reject("max_bytes", "allowed is 64MiB or more");
  config.stale_days = static_cast<std::uint32_t>(
      root.map("inventory").integer("stale_days", config.stale_days, {1, 3650}));
  read_policies(root.map("policies"), config);
  read_redteam(root, config.redteam);
  read_receivers(root.map("approvals"), config.receivers);
  AISPM_CHECK(root.finish());
  return config;
}

Result<Config> load_config(const std::string& path) {
  AISPM_TRY(const std::string content, read_file(path, YamlMap::kMaxFileBytes));
  return parse_config(content, path);
}

}  // namespace aispm::collector
