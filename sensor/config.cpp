// SPDX-License-Identifier: Apache-2.0
#include "sensor/config.hpp"

#include "sdk/core/common/token_file.hpp"
#include "sdk/core/common/yaml.hpp"
#include "sensor/config_discovery.hpp"

namespace aispm::sensor {
namespace {

constexpr std::size_t kMaxGateways = 64;
constexpr std::uint64_t kMaxRingBytes = 1U << 30;
constexpr std::uint64_t kMaxSpoolBytes = 1ULL << 40;
constexpr std::chrono::milliseconds kMinHealthInterval{100};
constexpr std::chrono::hours kMaxLearning{2160};
constexpr std::chrono::milliseconds kMaxHealthInterval{3'600'000};

CaptureMode read_capture(const YamlMap& root) {
  const std::string mode = root.choice("capture", "auto", {"auto", "ebpf", "proc"});
  if (mode == "ebpf") return CaptureMode::kEbpf;
  return mode == "proc" ? CaptureMode::kProc : CaptureMode::kAuto;
}

std::vector<std::string> read_sanctioned(const YamlMap& root) {
  std::vector<std::string> executables;
  for (const YamlMap& entry : root.maps("sanctioned")) {
    std::string path = entry.required_text("exe");
    if (!path.empty() && path.front() != '/')
      entry.reject("exe", "an absolute path is needed, got \"" + path + "\"");
    executables.push_back(std::move(path));
  }
  return executables;
}

std::vector<GatewayPlace> read_gateways(const YamlMap& root) {
  std::vector<GatewayPlace> gateways;
  const std::vector<std::string> texts = root.texts("gateway");
  if (texts.size() > kMaxGateways)
    root.reject("gateway", "at most " + std::to_string(kMaxGateways) + " places are allowed");
  for (const std::string& text : texts) {
    auto place = parse_gateway_place(text);
    if (place) {
      gateways.push_back(std::move(*place));
    } else {
      root.reject("gateway", place.error().message);
    }
  }
  return gateways;
}

void read_behaviour(const YamlMap& map, Config& config) {
  config.behaviour_rules = map.text("rules", config.behaviour_rules);
  config.finds_secrets = map.flag("secrets", config.finds_secrets);
  const auto learning = map.duration("baseline_learning", config.baseline_learning);
  if (learning > kMaxLearning) map.reject("baseline_learning", "at most 2160h is allowed");
  config.baseline_learning = std::chrono::duration_cast<std::chrono::seconds>(learning);
}

PoolConfig read_pool(const YamlMap& map) {
  PoolConfig pool;
  pool.is_on = map.flag("enabled", pool.is_on);
  pool.program = map.text("program", pool.program);
  pool.socket = map.text("socket", pool.socket);
  pool.entries = map.integer("entries", pool.entries, {1, 64});
  pool.max_entries = map.integer("max_entries", pool.max_entries, {1, 1024});
  if (!pool.program.empty() && pool.program.front() != '/')
    map.reject("program", "an absolute path is needed");
  if (pool.socket.empty() || pool.socket.front() != '/' || pool.socket.size() > 107)
    map.reject("socket", "an absolute path of at most 107 bytes is needed");
  return pool;
}

Result<Config> read_config(const YamlMap& root) {
  Config config;
  config.collector = root.text("collector", config.collector);
  config.state_folder = root.text("state_folder", config.state_folder);
  config.enrolment_token = read_enrolment_token(root);
  config.spool_cap_bytes = root.size_bytes("spool_cap", config.spool_cap_bytes, kMaxSpoolBytes);
  config.capture = read_capture(root);
  config.rings.control_bytes =
      root.size_bytes("control_ring", config.rings.control_bytes, kMaxRingBytes);
  config.rings.data_bytes = root.size_bytes("data_ring", config.rings.data_bytes, kMaxRingBytes);
  config.signatures = root.text("signatures", config.signatures);
  config.fingerprints = root.text("fingerprints", config.fingerprints);
  config.discovery = read_discovery(root.map("discovery"));
  config.discovery.signature_folder = config.signatures;
  config.store_text = root.flag("store_text", config.store_text);
  config.gateways = read_gateways(root);
  config.sanctioned_executables = read_sanctioned(root);
  config.health_interval = root.duration("health_interval", config.health_interval);
  if (config.health_interval < kMinHealthInterval || config.health_interval > kMaxHealthInterval)
    root.reject("health_interval", "100ms to 1h are allowed");
  read_behaviour(root.map("behaviour"), config);
  config.enforce = read_enforce(root);
  config.pool = read_pool(root.map("pool"));
  if (config.state_folder.empty() || config.state_folder.front() != '/')
    root.reject("state_folder", "an absolute path is needed");
  AISPM_CHECK(root.finish());
  return config;
}

}  // namespace

Result<Config> load_config(const std::string& path) {
  AISPM_TRY(const YamlMap root, YamlMap::load(path));
  return read_config(root);
}

Result<Config> parse_config(const std::string& content, const std::string& name) {
  AISPM_TRY(const YamlMap root, YamlMap::parse(content, name));
  return read_config(root);
}

}  // namespace aispm::sensor
