// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace aispm::sensor {

// Where discovery may connect to (SEN-017).
struct ProbeTarget {
  std::string address;  // numeric
  std::uint16_t port = 0;
  bool operator==(const ProbeTarget&) const = default;
};
inline constexpr std::size_t kMaxProbeTargets = 64;

// `discovery:` in sensord.yaml.
struct DiscoveryOptions {
  bool is_enabled = true;
  std::chrono::milliseconds scan_interval{600'000};
  std::string users = "/etc/passwd";  // whose homes are looked at
  std::set<std::string> gpu_devices;  // besides those of the signatures
  bool asks_listeners = false;        // HTTP requests to local listeners that may be AI
  // Management ports that nobody else on the host should reach: Docker, etcd, kubelet, ...
  std::vector<ProbeTarget> probe_targets = {
      {"127.0.0.1", 2375}, {"127.0.0.1", 2379},  {"127.0.0.1", 6443}, {"127.0.0.1", 10250},
      {"127.0.0.1", 9200}, {"127.0.0.1", 27017}, {"127.0.0.1", 11211}};
  std::chrono::milliseconds probe_interval{300'000};
  std::string signature_folder;  // watched for changes; may be empty
};

}  // namespace aispm::sensor
