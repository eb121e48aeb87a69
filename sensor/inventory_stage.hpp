// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sdk/core/common/time.hpp"
#include "sdk/core/model/event.hpp"
#include "sensor/classify/inventory.hpp"
#include "sensor/discover/found.hpp"

namespace aispm::sensor {

// The pipeline's inventory: takes what was observed and what discovery found, and makes events of
// what that changed. Not thread-safe: lives on the pipeline thread.
class InventoryStage {
 public:
  struct Options {
    std::string host;  // machine id: makes asset ids differ between hosts
    std::chrono::seconds resync_interval{600};
  };
  // Describes the process of a scan as the pipeline knows it.
  using Describe = std::function<model::Process(const model::Process& scanned)>;
  // Without `time` set: the caller stamps it.
  using Report = std::function<void(model::Event event)>;

  InventoryStage(const Classifier& classifier, Options options, Describe describe, Report report);

  // For what the pipeline observes itself.
  Inventory& observe() { return inventory_; }
  // New signatures are for the caller to take, too.
  void take(Found found);
  // Reports what changed, and everything when a resync is due.
  void tick(BootTime now);

  std::size_t size() const { return inventory_.size(); }
  void add_health(model::ComponentHealth& health) const;

 private:
  void take_one(ProcessScan scan);
  void take_one(AnsweredProbe probe);
  void take_one(const FoundFile& file);
  void take_one(const FileGone& gone);
  void take_one(const ReachedTarget& reached);
  void take_one(const ScanDone& done);
  void take_one(NewSignatures news);
  void report(std::vector<AssetChange> changes);

  Inventory inventory_;
  Options options_;
  Describe describe_;
  Report report_;
  std::optional<BootTime> next_resync_;
  bool has_scanned_ = false;
  std::uint64_t unreadable_ = 0;
  std::uint64_t resyncs_ = 0;
};

}  // namespace aispm::sensor
