// SPDX-License-Identifier: Apache-2.0
#include "sensor/discovery_feed.hpp"

#include <utility>

#include "sdk/core/report/host_facts.hpp"
#include "sensor/discover/posture.hpp"

namespace aispm::sensor {
namespace {

constexpr std::chrono::seconds kPostureInterval{60};

}  // namespace

DiscoveryFeed::DiscoveryFeed(const Config& config, const Signatures& signatures, Secret host_key) {
  if (config.discovery.is_enabled)
    discovery_ = std::make_unique<Discovery>(signatures, config.discovery, std::move(host_key));
}

void DiscoveryFeed::connect(const Config& config, Pipeline::Parts& parts) {
  parts.inventory.host = report::read_host_facts().machine_id;
  parts.inventory.resync_interval =
      std::chrono::duration_cast<std::chrono::seconds>(config.discovery.scan_interval);
  parts.fill_container = [this](model::Process& process) { containers_.fill(process); };
  if (!discovery_) return;
  parts.on_started = [discovery = discovery_.get(),
                      before = std::move(parts.on_started)](std::uint32_t pid) {
    before(pid);
    discovery->on_started(pid);
  };
  parts.on_listening = [discovery = discovery_.get()](std::uint32_t pid) {
    discovery->on_listen(pid);
  };
}

void DiscoveryFeed::start() {
  read_posture_again();
  if (discovery_) discovery_->start();
}

// It changes while we run: a sysctl is set, a file system mounted.
void DiscoveryFeed::read_posture_again() {
  posture_ = read_posture();
  next_posture_ = std::chrono::steady_clock::now() + kPostureInterval;
}

void DiscoveryFeed::feed(Pipeline& pipeline) {
  if (std::chrono::steady_clock::now() >= next_posture_) read_posture_again();
  if (!discovery_) return;
  for (Found& found : discovery_->take()) pipeline.take_found(std::move(found));
}

void DiscoveryFeed::add_health(model::ComponentHealth& health) const {
  health.features.insert(posture_.begin(), posture_.end());
  if (!discovery_) return;
  const Discovery::Stats stats = discovery_->stats();
  health.counters["discover.processes_scanned"] = stats.processes_scanned;
  health.counters["discover.scans"] = stats.scans;
  health.counters["discover.files"] = stats.files;
  health.counters["discover.hashed"] = stats.hashed;
  health.counters["discover.visits_refused"] = stats.visits_refused;
  health.losses["discover.found"] = stats.found_refused;
  health.losses["discover.files"] = stats.files_refused;
  health.losses["discover.hashes"] = stats.hashes_refused;
  if (!stats.signature_error.empty())
    health.reasons.push_back("changed signatures are not in force: " + stats.signature_error);
}

}  // namespace aispm::sensor
