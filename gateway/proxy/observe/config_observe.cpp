// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/observe/config_observe.hpp"

#include <sys/stat.h>

#include <algorithm>

#include "gateway/net/listen.hpp"
#include "gateway/proxy/config_detect.hpp"
#include "sdk/core/common/file.hpp"
#include "sdk/core/common/log.hpp"

namespace aispm::gateway {
namespace {

constexpr std::size_t kMaxNameBytes = 64;
constexpr std::size_t kMaxOriginBytes = 256;
constexpr std::size_t kMaxTokenFileBytes = 4096;

bool is_policy_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_' || c == '.';
         });
}

ScanConfig read_scan(const YamlMap& map) {
  ScanConfig scan;
  scan.history = static_cast<std::size_t>(map.integer("history", 10'000, {0, 1'000'000}));
  scan.record = map.flag("record", true);
  const YamlMap policies = map.map("policies");
  for (const std::string& name : policies.keys()) {
    if (!is_policy_name(name))
      policies.reject(name, "a policy's name has 1 to 64 of A-Z a-z 0-9 . _ -");
    const YamlMap one = policies.map(name);
    ScanPolicyConfig policy;
    policy.file = one.required_text("file");
    policy.where = one.where("file");
    policy.tenants = one.texts("tenants");
    const YamlMap layers = one.map("layers");
    for (std::size_t i = 0; i < detect::kLayerCount; ++i)
      policy.layers[i] =
          layers.flag(std::string(detect::name_of(static_cast<detect::Layer>(i))), true);
    scan.policies.emplace(name, std::move(policy));
  }
  if (scan.policies.size() > ScanPolicyConfig::kMaxPolicies)
    policies.reject("", "more than 64 policies");
  return scan;
}

// As browsers send it: scheme and authority in lower case, nothing behind them.
bool is_origin(std::string_view text) {
  const std::size_t scheme = text.starts_with("https://") ? 8 : text.starts_with("http://") ? 7 : 0;
  return scheme != 0 && text.size() > scheme && text.size() <= kMaxOriginBytes &&
         std::all_of(text.begin() + static_cast<std::ptrdiff_t>(scheme), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
                  c == ':' || c == '[' || c == ']';
         });
}

CorsConfig read_cors(const YamlMap& map) {
  CorsConfig cors;
  cors.origins = map.texts("origins");
  for (const std::string& origin : cors.origins)
    if (!is_origin(origin))
      map.reject("origins", "`" + origin +
                                "`: an origin is like https://console.example.com or "
                                "http://localhost:3000, in lower case; `*` is not allowed");
  if (cors.origins.size() > CorsConfig::kMaxOrigins) map.reject("origins", "more than 64 origins");
  cors.max_age = std::chrono::duration_cast<std::chrono::seconds>(
      map.duration("max_age", std::chrono::milliseconds(cors.max_age)));
  return cors;
}

bool is_path(std::string_view path) {
  return path.empty() || (path.starts_with('/') && !path.ends_with('/') && path.size() <= 256 &&
                          std::all_of(path.begin(), path.end(), [](char c) {
                            return c > ' ' && c < '\x7f' && c != '?' && c != '#';
                          }));
}

OtlpConfig read_otlp(const YamlMap& map) {
  OtlpConfig otlp;
  ProviderConfig endpoint;
  read_endpoint(map, endpoint);
  otlp.origin = endpoint.origin;
  otlp.ca_file = endpoint.ca_file;
  otlp.key = std::move(endpoint.key);
  otlp.allow_private = endpoint.allow_private;
  if (!endpoint.missing_key.empty()) map.reject("key_env", endpoint.missing_key);
  otlp.path = map.text("path", "");
  if (!is_path(otlp.path))
    map.reject("path", "what stands before /v1/traces: begins with / and does not end with one");
  otlp.queue = static_cast<std::size_t>(map.integer("queue", 4096, {1, 1'000'000}));
  otlp.interval = map.duration("interval", otlp.interval);
  otlp.timeout = map.duration("timeout", otlp.timeout);
  if (otlp.interval < std::chrono::milliseconds(100)) map.reject("interval", "at least 100ms");
  if (otlp.timeout < std::chrono::milliseconds(100)) map.reject("timeout", "at least 100ms");
  return otlp;
}

bool is_loopback(const std::string& address) {
  return address == "::1" || address.starts_with("127.");
}

}  // namespace

ObserveConfig read_observe(const YamlMap& root) {
  ObserveConfig config;
  config.scan = read_scan(root.map("scan"));
  const YamlMap map = root.map("observe");
  config.cors = read_cors(map.map("cors"));
  const YamlMap sessions = map.map("sessions");
  config.sessions.sessions =
      static_cast<std::size_t>(sessions.integer("kept", 4096, {0, 1'000'000}));
  config.sessions.events =
      static_cast<std::size_t>(sessions.integer("events", 10'000, {1, 10'000'000}));
  if (map.has("otlp")) config.otlp = read_otlp(map.map("otlp"));
  config.tenant_header =
      map.choice("tenant_header", "optional", {"optional", "required"}) == "required";
  config.propagate_trace = map.flag("propagate_trace", true);
  return config;
}

AdminPortConfig read_admin_port(const YamlMap& admin) {
  AdminPortConfig port;
  port.listen = admin.text("listen", "");
  const std::string file = admin.text("token_file", "");
  const bool allow_remote = admin.flag("allow_remote", false);
  if (port.listen.empty()) {
    if (!file.empty()) admin.reject("token_file", "only with `listen`");
    return port;
  }
  if (const auto endpoint = net::parse_endpoint(port.listen); !endpoint)
    admin.reject("listen", endpoint.error().message);
  else if (!is_loopback(endpoint->address) && !allow_remote)
    admin.reject("listen",
                 "is not a loopback address, and the token would travel in clear text: put a TLS "
                 "proxy before it, or say `allow_remote: true` where the network is trusted");
  if (file.empty()) {
    admin.reject("listen", "needs `token_file`: whoever may reach the port must show that token");
    return port;
  }
  auto token = read_file(file, kMaxTokenFileBytes);
  if (!token) {
    admin.reject("token_file", token.error().message);
    return port;
  }
  struct stat info {};
  if (::stat(file.c_str(), &info) == 0 && (info.st_mode & (S_IROTH | S_IWOTH)) != 0)
    log::warn("admin.token_file_open_to_all", {{"file", file}, {"remedy", "chmod 0600"}});
  token->erase(token->find_last_not_of(" \t\r\n") + 1);
  const bool is_plain =
      std::all_of(token->begin(), token->end(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (!is_plain || token->size() < AdminPortConfig::kMinTokenBytes)
    admin.reject("token_file", file + ": must hold one line of visible ASCII, 32 bytes or more");
  port.token = Secret(std::move(*token));
  return port;
}

}  // namespace aispm::gateway
