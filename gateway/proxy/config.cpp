// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/config.hpp"

#include <algorithm>
#include <cstdlib>
#include <thread>

#include "gateway/net/dial.hpp"
#include "gateway/net/listen.hpp"
#include "gateway/proxy/config_detect.hpp"
#include "gateway/proxy/observe/config_observe.hpp"
#include "sdk/core/common/ed25519.hpp"
#include "sdk/core/common/file.hpp"
#include "sdk/core/common/token_file.hpp"
#include "sdk/core/common/yaml.hpp"
#include "sdk/core/detect/database_cache.hpp"

namespace aispm::gateway {
namespace {

constexpr std::size_t kMaxKeyBytes = 4096;
constexpr std::size_t kMaxProviders = 64;

std::string trim(std::string text) {
  const auto last = text.find_last_not_of(" \t\r\n");
  text.erase(last == std::string::npos ? 0 : last + 1);
  return text;
}

// The first line of the file that `key` names; "" when `key` is absent.
std::string read_secret_file(const YamlMap& map, const std::string& key) {
  const std::string path = map.text(key, "");
  if (path.empty()) return {};
  auto content = read_file(path, kMaxKeyBytes);
  if (!content) {
    map.reject(key, content.error().message);
    return {};
  }
  std::string value = trim(std::move(*content));
  if (value.empty() || !is_header_value(value))
    map.reject(key, path + ": must hold one line of visible ASCII");
  return value;
}

ProviderConfig read_provider(const YamlMap& map) {
  ProviderConfig provider;
  provider.name = map.required_text("name");
  const std::string dialect =
      map.choice("dialect", "openai", {"openai", "anthropic", "ollama", "gemini"});
  for (const Dialect known :
       {Dialect::kOpenAi, Dialect::kAnthropic, Dialect::kOllama, Dialect::kGemini})
    if (dialect == name_of(known)) provider.dialect = known;
  if (!map.has("dialect"))
    map.reject("", "provider without dialect; allowed: openai, anthropic, ollama, gemini");
  read_provider_endpoint(map, provider);
  provider.models = map.texts("models");
  provider.translate = read_translate(map, provider.dialect);
  return provider;
}

void read_providers(const YamlMap& root, Config& config) {
  for (const YamlMap& map : root.maps("providers")) {
    config.providers.push_back(read_provider(map));
    const std::string& name = config.providers.back().name;
    const auto same =
        std::count_if(config.providers.begin(), config.providers.end(),
                      [&](const ProviderConfig& other) { return other.name == name; });
    if (same > 1) map.reject("name", "provider '" + name + "' is given twice");
  }
  if (config.providers.empty())
    root.reject("providers", "no provider; give at least one with name, dialect and origin");
  if (config.providers.size() > kMaxProviders) root.reject("providers", "more than 64 providers");
}

void read_limits(const YamlMap& map, Limits& limits) {
  limits.body_bytes = map.size_bytes("body", limits.body_bytes, 64U << 20);
  limits.body_ratio = static_cast<std::size_t>(map.integer("body_ratio", 200, {1, 1000}));
  limits.reply_bytes = map.size_bytes("reply", limits.reply_bytes, 256U << 20);
  limits.connections = static_cast<std::size_t>(map.integer("connections", 10'000, {1, 1'000'000}));
  limits.idle = map.duration("idle", limits.idle);
  limits.request = map.duration("request", limits.request);
  limits.upstream_connect = map.duration("upstream_connect", limits.upstream_connect);
  limits.upstream_reply = map.duration("upstream_reply", limits.upstream_reply);
  limits.client_write = map.duration("client_write", limits.client_write);
  for (const char* const wait :
       {"idle", "request", "upstream_connect", "upstream_reply", "client_write"})
    if (map.duration(wait, std::chrono::milliseconds(1)).count() == 0)
      map.reject(wait, "0 would end everything at once; allowed is a duration above that");
}

void read_egress(const YamlMap& map, EgressConfig& egress) {
  for (const std::string& text : map.texts("allow_hosts")) {
    auto rule = parse_host_rule(text);
    if (!rule) return map.reject("allow_hosts", rule.error().message);
    egress.allow_hosts.push_back(std::move(*rule));
  }
  if (egress.allow_hosts.size() > kMaxHostRules)
    map.reject("allow_hosts", "more than " + std::to_string(kMaxHostRules) + " hosts");
  egress.connections = static_cast<std::size_t>(map.integer("connections", 64, {1, 10'000}));
  egress.bytes = map.size_bytes("bytes", egress.bytes, 1ULL << 40U);
  egress.idle = map.duration("idle", egress.idle);
}

void read_admin(const YamlMap& root, Config& config) {
  if (!root.has("admin")) return;
  const YamlMap map = root.map("admin");
  AdminConfig admin;
  admin.socket = map.required_text("socket");
  admin.rules_folder = map.required_text("rules_folder");
  for (const auto& [key, path] :
       {std::pair("socket", &admin.socket), std::pair("rules_folder", &admin.rules_folder)})
    if (!path->empty() && path->front() != '/') map.reject(key, "an absolute path is needed");
  if (!admin.socket.empty() && admin.socket == config.socket)
    map.reject("socket", "must not be the socket of agents");
  admin.port = read_admin_port(map);
  config.admin = std::move(admin);
}

void read_report(const YamlMap& root, Config& config) {
  config.audit = root.choice("audit", "required", {"required", "best_effort"}) == "required"
                     ? Audit::kRequired
                     : Audit::kBestEffort;
  if (!root.has("report")) {
    if (config.audit == Audit::kRequired)
      root.reject("",
                  "no `report` section: exchanges could not be recorded; give one, or say `audit: "
                  "best_effort`");
    return;
  }
  const YamlMap map = root.map("report");
  ReportConfig report;
  report.collector = map.required_text("collector");
  report.state_folder = map.required_text("state_folder");
  report.enrolment_token = read_enrolment_token(map);
  report.spool_cap_bytes = map.size_bytes("spool_cap", report.spool_cap_bytes, 1ULL << 40U);
  config.report = std::move(report);
}

// Keys of this host's own: who rules the collector cannot make other policies count here.
void read_policies(const YamlMap& map, PolicyDemands& rules) {
  constexpr std::size_t kMaxPolicyKeys = 32;
  constexpr std::size_t kMaxPemBytes = 16U << 10;
  for (const std::string& path : map.texts("trusted_keys")) {
    auto pem = read_file(path, kMaxPemBytes);
    if (pem) {
      if (auto key = ed25519::key_id(*pem); !key) pem = fail(key.error());
    }
    if (pem)
      rules.trusted_keys.push_back(std::move(*pem));
    else
      map.reject("trusted_keys", path + ": " + pem.error().message);
  }
  if (rules.trusted_keys.size() > kMaxPolicyKeys) map.reject("trusted_keys", "more than 32 keys");
  rules.must_be_signed = map.flag("must_be_signed", false);
  if (rules.must_be_signed && rules.trusted_keys.empty())
    map.reject("must_be_signed", "no key is trusted: name one in `trusted_keys`");
  rules.required = map.texts("required");
  if (rules.required.size() > 1)
    map.reject("required", "name one policy: it decides about everybody, so a second never could");
}

Result<Config> read_config(const YamlMap& root) {
  Config config;
  config.listen = root.text("listen", config.listen);
  if (!config.listen.empty()) {
    if (auto endpoint = net::parse_endpoint(config.listen); !endpoint)
      root.reject("listen", endpoint.error().message);
  }
  config.socket = root.text("socket", "");
  if (config.listen.empty() && config.socket.empty())
    root.reject("listen", "neither `listen` nor `socket` is given: nothing to serve");
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  config.workers = static_cast<unsigned>(root.integer("workers", cores, {1, 256}));
  config.policy_file = root.required_text("policy");
  config.pack_folder = root.required_text("packs");
  config.cache_folder = root.text("cache_folder", detect::usual_cache_folder("gateway"));
  if (!config.cache_folder.empty() && config.cache_folder.front() != '/')
    root.reject("cache_folder", "an absolute path is needed, or \"\" for no cache");
  config.wait_for_rules = root.duration("wait_for_rules", config.wait_for_rules);
  config.keys_file = root.text("keys_file", "");
  read_providers(root, config);
  const YamlMap limits = root.map("limits");
  read_limits(limits, config.limits);
  const YamlMap responses = root.map("responses");
  config.provider_history = responses.choice("history", "forbid", {"forbid", "allow"}) == "allow";
  config.remote_mcp = responses.choice("remote_mcp", "forbid", {"forbid", "allow"}) == "allow";
  read_egress(root.map("egress"), config.egress);
  config.detect = read_detect(root.map("detect"));
  config.mcp = read_mcp(root.map("mcp"));
  config.tenants = read_tenants(root.map("tenants"));
  read_admin(root, config);
  config.decide = read_decide(root);
  config.observe = read_observe(root);
  read_policies(root.map("policies"), config.policies);
  config.traffic = read_traffic(root, config);
  config.reload_every = root.duration("reload_every", config.reload_every);
  read_report(root, config);
  config.use = read_use(root, limits, config.report ? config.report->state_folder : "");
  const YamlMap sticky = root.map("sticky");
  config.sticky_entries = static_cast<std::size_t>(sticky.integer("entries", 4096, {0, 1'000'000}));
  config.sticky_ttl = sticky.duration("ttl", config.sticky_ttl);
  AISPM_CHECK(root.finish());
  return config;
}

}  // namespace

bool is_header_value(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

Secret read_secret(const YamlMap& map, const std::string& name, std::string& missing) {
  const std::string env = name + "_env";
  const std::string file = name + "_file";
  if (map.has(env) && map.has(file)) map.reject(env, "give " + env + " or " + file + ", not both");
  if (!map.has(env)) return Secret(read_secret_file(map, file));
  const std::string variable = map.text(env, "");
  const char* value = std::getenv(variable.c_str());
  if (!value || !*value) {
    // Not an error of the file: the other providers work, and this one says what it lacks.
    missing = "environment variable " + variable + " is not set";
    return {};
  }
  if (!is_header_value(value)) map.reject(env, variable + " must be visible ASCII without spaces");
  return Secret(value);
}

void read_endpoint(const YamlMap& map, ProviderConfig& endpoint, bool may_have_path) {
  endpoint.origin = map.required_text("origin");
  if (may_have_path && !endpoint.origin.empty()) {
    if (auto split = split_origin(endpoint.origin, endpoint.origin, endpoint.base_path); !split)
      map.reject("origin", split.error().message);
  }
  if (!endpoint.origin.empty()) {
    auto origin = net::parse_origin(endpoint.origin);
    if (!origin) map.reject("origin", origin.error().message);
    if (origin && !origin->tls && map.has("ca_file"))
      map.reject("ca_file", "only for https origins");
  }
  endpoint.ca_file = map.text("ca_file", "");
  endpoint.key = read_secret(map, "key", endpoint.missing_key);
  endpoint.allow_private = map.flag("allow_private", false);
}

Result<Config> load_config(const std::string& path) {
  AISPM_TRY(const YamlMap root, YamlMap::load(path));
  AISPM_TRY(Config config, read_config(root));
  config.source = path;
  return config;
}

Result<Config> parse_config(const std::string& content, const std::string& name) {
  AISPM_TRY(const YamlMap root, YamlMap::parse(content, name));
  return read_config(root);
}

}  // namespace aispm::gateway
