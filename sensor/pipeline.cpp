// SPDX-License-Identifier: Apache-2.0
#include "sensor/pipeline.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>
#include <variant>

#include "sdk/core/common/log.hpp"
#include "sensor/capture/proc_reader.hpp"
#include "sensor/decode/decode.hpp"
#include "sensor/report/event_builder.hpp"
#include "sensor/version.hpp"

namespace aispm::sensor {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLongestWait{250};
constexpr std::chrono::seconds kSweepInterval{15};
constexpr std::chrono::milliseconds kHealthLookInterval{1000};  // how soon a change is told

}  // namespace

Pipeline::Pipeline(const Config& config, std::unique_ptr<Capture> capture,
                   std::unique_ptr<EventSink> sink)
    : health_interval_(config.health_interval),
      capture_(std::move(capture)),
      sink_(std::move(sink)),
      processes_(read_process, [this](std::uint32_t uid) { return user_names_(uid); }) {}

Result<> Pipeline::run() {
  report_health(make_health());
  while (!stops_) {
    AISPM_CHECK(capture_->wait(kLongestWait));
    AISPM_CHECK(take_all());
    do_periodic_work();
  }
  AISPM_CHECK(take_all());
  report_health(make_health());
  return {};
}

void Pipeline::stop() {
  stops_ = true;
  capture_->wake();
}

Result<> Pipeline::take_all() {
  const auto on_bytes = [this](std::span<const std::byte> bytes) { take_bytes(bytes); };
  for (bool has_more = true; has_more;) {
    AISPM_TRY(has_more, capture_->drain(on_bytes, on_bytes,
                                        [this](Record record) { take_record(std::move(record)); }));
    // The rings are not in order with each other: an exit waits until the plaintext written before
    // it was taken.
    if (!has_more)
      for (const Exit& exit : std::exchange(exits_, {})) report_exit(exit);
  }
  return {};
}

void Pipeline::take_bytes(std::span<const std::byte> bytes) {
  auto record = decode_record(bytes);
  if (record) return take_record(std::move(*record));
  if (malformed_++ == 0) log::error("record.malformed", record.error());
}

void Pipeline::take_record(Record record) {
  ++records_;
  std::visit(
      [this](auto&& one) {
        using T = std::decay_t<decltype(one)>;
        if constexpr (std::is_same_v<T, Exec>) report_exec(one);
        if constexpr (std::is_same_v<T, Exit>) exits_.push_back(std::move(one));
        if constexpr (std::is_same_v<T, Listen>) report_listen(one);
        if constexpr (std::is_same_v<T, Connect>) report_connect(one);
        if constexpr (std::is_same_v<T, TlsChunk>) ++chunks_;
      },
      std::move(record));
}

void Pipeline::report_exec(const Exec& exec) {
  capture_->follow(exec.actor.id.pid);
  model::Event event = make_event(clock_.to_wall(exec.time), processes_.learn(exec));
  event.body = model::ProcessExec{};
  sink_->offer(std::move(event));
}

void Pipeline::report_exit(const Exit& exit) {
  model::Event event = make_event(clock_.to_wall(exit.time), processes_.describe(exit.actor));
  event.body = to_body(exit);
  sink_->offer(std::move(event));
  processes_.end(exit.actor.id, exit.time);
}

void Pipeline::report_listen(const Listen& listen) {
  model::Event event = make_event(clock_.to_wall(listen.time), processes_.describe(listen.actor));
  event.body = to_body(listen);
  sink_->offer(std::move(event));
}

void Pipeline::report_connect(const Connect& connect) {
  model::Event event = make_event(clock_.to_wall(connect.time), processes_.describe(connect.actor));
  event.body = to_body(connect);
  sink_->offer(std::move(event));
}

void Pipeline::do_periodic_work() {
  const auto now = Clock::now();
  if (now >= next_sweep_) {
    next_sweep_ = now + kSweepInterval;
    clock_.refresh();
    capture_->sweep();
    processes_.forget_ended(boot_now());
  }
  if (now < next_health_look_) return;
  next_health_look_ = now + kHealthLookInterval;
  model::ComponentHealth health = make_health();
  const bool has_changed = health.reasons != reported_reasons_ || health.losses != reported_losses_;
  if (has_changed || now >= next_health_) report_health(std::move(health));
}

model::ComponentHealth Pipeline::make_health() const {
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
  health.losses["decode.malformed"] = malformed_;
  health.losses["processes.forgotten_early"] = processes_.forgotten_early();
  health.counters["records"] = records_;
  health.counters["tls.chunks"] = chunks_;
  health.counters["processes"] = processes_.size();
  sink_->add_health(health);
  health.state = health.reasons.empty() ? "ok" : "degraded";
  return health;
}

void Pipeline::report_health(model::ComponentHealth health) {
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
