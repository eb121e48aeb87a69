// SPDX-License-Identifier: Apache-2.0
#include "sensor/watcher.hpp"

#include <utility>

#include "sdk/core/common/log.hpp"
#include "sensor/capture/proc_reader.hpp"
#include "sensor/decode/decode.hpp"
#include "sensor/version.hpp"

namespace aispm::sensor {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLongestWait{250};
constexpr std::chrono::milliseconds kLookInterval{1000};  // how soon a change of health is told
constexpr std::chrono::seconds kSweepInterval{15};

Pipeline::Parts make_parts(const Config& config, Capture& capture, EventSink& sink,
                           UserNames& users, Signatures signatures) {
  Registry registry;
  registry.executables = config.sanctioned_executables;
  return {sink,
          Classifier(std::move(signatures), std::move(registry)),
          read_process,
          [&users](std::uint32_t uid) { return users(uid); },
          [&capture](std::uint32_t pid) { capture.follow(pid); },
          config.store_text,
          config.gateways};
}

}  // namespace

Watcher::Watcher(const Config& config, std::unique_ptr<Capture> capture,
                 std::unique_ptr<EventSink> sink, Signatures signatures)
    : health_interval_(config.health_interval),
      capture_(std::move(capture)),
      sink_(std::move(sink)),
      pipeline_(make_parts(config, *capture_, *sink_, user_names_, std::move(signatures))) {}

Result<std::unique_ptr<Watcher>> Watcher::open(const Config& config,
                                               std::unique_ptr<Capture> capture,
                                               std::unique_ptr<EventSink> sink) {
  AISPM_TRY(Signatures signatures, config.signatures.empty() ? Signatures::builtin()
                                                             : Signatures::load(config.signatures));
  return std::unique_ptr<Watcher>(
      new Watcher(config, std::move(capture), std::move(sink), std::move(signatures)));
}

Result<> Watcher::run() {
  report_health(make_health());
  while (!stops_) {
    AISPM_CHECK(capture_->wait(kLongestWait));
    AISPM_CHECK(take_all());
    do_periodic_work();
  }
  AISPM_CHECK(take_all());
  pipeline_.finish(boot_now());
  report_health(make_health());
  return {};
}

void Watcher::stop() {
  stops_ = true;
  capture_->wake();
}

Result<> Watcher::take_all() {
  const auto on_bytes = [this](std::span<const std::byte> bytes) { pipeline_.take_bytes(bytes); };
  const auto on_record = [this](Record record) { pipeline_.take_record(std::move(record)); };
  bool has_more = true;
  while (has_more) {
    AISPM_TRY(has_more, capture_->drain(on_bytes, on_bytes, on_record));
    do_periodic_work();  // also when there is no end of records
  }
  pipeline_.end_batch();
  return {};
}

void Watcher::do_periodic_work() {
  const auto now = Clock::now();
  if (now < next_look_) return;
  next_look_ = now + kLookInterval;
  pipeline_.tick(boot_now());
  if (now >= next_sweep_) {
    next_sweep_ = now + kSweepInterval;
    capture_->sweep();
  }
  model::ComponentHealth health = make_health();
  const bool has_changed = health.reasons != reported_reasons_ || health.losses != reported_losses_;
  if (has_changed || now >= next_health_) report_health(std::move(health));
}

model::ComponentHealth Watcher::make_health() const {
  const CaptureHealth seen = capture_->health();
  model::ComponentHealth health;
  health.component = "sensord";
  health.version = kVersion;
  health.reasons = seen.reasons;
  health.features = seen.features;
  health.counters = seen.counters;
  for (const auto& [cause, loss] : decode_losses(boot_now(), seen.losses).causes) {
    health.losses[cause] = loss.records;
    if (loss.bytes > 0) health.losses[cause + ".bytes"] = loss.bytes;
  }
  pipeline_.add_health(health);
  health.state = health.reasons.empty() ? "ok" : "degraded";
  return health;
}

void Watcher::report_health(model::ComponentHealth health) {
  next_health_ = Clock::now() + health_interval_;
  if (health.reasons != reported_reasons_) {
    reported_reasons_ = health.reasons;
    for (const std::string& reason : health.reasons)
      log::warn("health.degraded", {{"why", reason}});
    if (health.reasons.empty()) log::info("health.ok");
  }
  for (const auto& [cause, count] : health.losses)
    if (count > reported_losses_[cause]) log::warn("lost", {{"cause", cause}, {"total", count}});
  reported_losses_ = health.losses;
  model::Event event;
  event.time = wall_now();
  event.source = model::Source::kSensor;
  event.body = std::move(health);
  sink_->offer(std::move(event));
}

}  // namespace aispm::sensor
