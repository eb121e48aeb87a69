// SPDX-License-Identifier: Apache-2.0
#include "sensor/inventory_stage.hpp"

#include <utility>
#include <variant>

#include "sdk/core/common/id.hpp"
#include "sdk/core/common/log.hpp"

namespace aispm::sensor {

InventoryStage::InventoryStage(const Classifier& classifier, Options options, Describe describe,
                               Report report)
    : inventory_(classifier.signatures(), classifier.registry(), options.host),
      options_(std::move(options)),
      describe_(std::move(describe)),
      report_(std::move(report)) {}

void InventoryStage::take(Found found) {
  std::visit([this](auto&& one) { take_one(std::move(one)); }, std::move(found));
}

void InventoryStage::take_one(ProcessScan scan) {
  scan.process = describe_(scan.process);
  inventory_.on_scan(scan);
}

void InventoryStage::take_one(AnsweredProbe probe) {
  inventory_.on_answer(describe_(probe.process), probe.answer);
}

void InventoryStage::take_one(const FoundFile& file) {
  unreadable_ += file.error.empty() ? 0 : 1;
  inventory_.on_file(file);
}

void InventoryStage::take_one(const FileGone& gone) { inventory_.on_file_gone(gone.path); }

void InventoryStage::take_one(const ReachedTarget& reached) {
  model::Event event;
  model::SocketConnect body;
  body.destination_address = reached.address;
  body.destination_port = reached.port;
  body.outcome = "established";
  event.body = std::move(body);
  model::Detection detection;
  detection.rule_id = "exposure.reachable_target";
  detection.category = "exposure";
  detection.severity = model::Severity::kMedium;
  detection.confidence = 1;
  detection.surface = "network";
  detection.evidence = reached.address + ":" + std::to_string(reached.port);
  detection.message = "an internal target can be reached from this host";
  event.detections.push_back(std::move(detection));
  report_(std::move(event));
}

void InventoryStage::take_one(const ScanDone&) { has_scanned_ = true; }

void InventoryStage::take_one(NewSignatures news) {
  if (auto taken = inventory_.replace(std::move(news.signatures)); !taken)
    log::error("signatures.refused", taken.error());
}

void InventoryStage::tick(BootTime now) {
  const bool is_due = has_scanned_ && (!next_resync_ || now >= *next_resync_);
  if (!is_due) return report(inventory_.take_changes());
  const auto interval = std::chrono::nanoseconds(options_.resync_interval).count();
  next_resync_ = BootTime{now.nanoseconds + static_cast<std::uint64_t>(interval)};
  ++resyncs_;
  report(inventory_.resync(make_uuid()));
}

void InventoryStage::report(std::vector<AssetChange> changes) {
  for (AssetChange& change : changes) {
    model::Event event;
    event.process = std::move(change.process);
    event.detections = std::move(change.detections);
    event.body = std::move(change.asset);
    report_(std::move(event));
  }
}

void InventoryStage::add_health(model::ComponentHealth& health) const {
  health.counters["inventory.assets"] = inventory_.size();
  health.counters["inventory.resyncs"] = resyncs_;
  health.counters["inventory.unreadable_files"] = unreadable_;
  health.losses["inventory.full"] = inventory_.refused();
}

}  // namespace aispm::sensor
