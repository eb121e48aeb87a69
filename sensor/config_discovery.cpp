// SPDX-License-Identifier: Apache-2.0
#include "sensor/config_discovery.hpp"

#include <arpa/inet.h>

#include <charconv>
#include <optional>

namespace aispm::sensor {
namespace {

constexpr std::chrono::milliseconds kMinInterval{1000};
constexpr std::chrono::milliseconds kMaxInterval{86'400'000};

// "127.0.0.1:2375" or "[::1]:2375".
std::optional<ProbeTarget> parse_target(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  ProbeTarget target;
  target.address = text.substr(0, colon);
  if (target.address.starts_with('[') && target.address.ends_with(']'))
    target.address = target.address.substr(1, target.address.size() - 2);
  in6_addr address{};
  if (::inet_pton(AF_INET, target.address.c_str(), &address) != 1 &&
      ::inet_pton(AF_INET6, target.address.c_str(), &address) != 1)
    return std::nullopt;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, target.port);
  if (error != std::errc() || stop != end || target.port == 0) return std::nullopt;
  return target;
}

std::chrono::milliseconds read_interval(const YamlMap& map, const std::string& key,
                                        std::chrono::milliseconds fallback) {
  const auto interval = map.duration(key, fallback);
  if (interval < kMinInterval || interval > kMaxInterval) map.reject(key, "1s to 24h are allowed");
  return interval;
}

}  // namespace

DiscoveryOptions read_discovery(const YamlMap& map) {
  DiscoveryOptions options;
  options.is_enabled = map.flag("enabled", options.is_enabled);
  options.scan_interval = read_interval(map, "scan_interval", options.scan_interval);
  options.probe_interval = read_interval(map, "probe_interval", options.probe_interval);
  options.users = map.text("users", options.users);
  options.asks_listeners = map.flag("ask_listeners", options.asks_listeners);
  for (const std::string& device : map.texts("gpu_devices")) {
    if (!device.starts_with('/'))
      map.reject("gpu_devices", "an absolute path is needed, got \"" + device + "\"");
    options.gpu_devices.insert(device);
  }
  if (!map.has("probe_targets")) return options;
  options.probe_targets.clear();
  for (const std::string& text : map.texts("probe_targets")) {
    const auto target = parse_target(text);
    if (!target)
      map.reject("probe_targets", "\"" + text + "\" is no address:port with a numeric address");
    else if (options.probe_targets.size() >= kMaxProbeTargets)
      map.reject("probe_targets",
                 "at most " + std::to_string(kMaxProbeTargets) + " targets are allowed");
    else
      options.probe_targets.push_back(*target);
  }
  return options;
}

}  // namespace aispm::sensor
