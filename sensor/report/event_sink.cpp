// SPDX-License-Identifier: Apache-2.0
#include "sensor/report/event_sink.hpp"

#include <cstdio>
#include <utility>

#include "sdk/core/common/id.hpp"
#include "sdk/core/common/time.hpp"
#include "sdk/core/detect/scrub.hpp"
#include "sdk/core/report/convert.hpp"

namespace aispm::sensor {
namespace {

class ReporterSink : public EventSink {
 public:
  explicit ReporterSink(std::unique_ptr<report::Reporter> reporter)
      : reporter_(std::move(reporter)) {}

  void offer(model::Event event) override {
    // The reporter counts what it refuses under its cause; refusals for other reasons are ours to
    // count.
    if (auto taken = reporter_->offer(std::move(event));
        !taken && taken.error().code != Errc::kExhausted)
      ++refused_;
  }

  void add_health(model::ComponentHealth& health) const override {
    const report::ReporterStats stats = reporter_->stats();
    health.losses["report.queue_full"] = stats.lost_queue_full;
    health.losses["report.spool_full"] = stats.lost_spool_full;
    health.losses["report.disk_error"] = stats.lost_disk_error;
    health.losses["report.refused"] = refused_;
    health.counters["report.accepted"] = stats.accepted;
    health.counters["report.acknowledged"] = stats.acknowledged;
    health.counters["report.spooled_bytes"] = stats.spooled_bytes;
    if (!stats.connected)
      health.reasons.push_back(
          "not connected to the collector: " +
          (stats.last_error.empty() ? std::string("first attempt under way") : stats.last_error));
  }

 private:
  std::unique_ptr<report::Reporter> reporter_;
  std::uint64_t refused_ = 0;
};

class StdoutSink : public EventSink {
 public:
  void offer(model::Event event) override {
    if (event.id.empty()) event.id = make_uuid();
    if (event.time.nanoseconds == 0) event.time = wall_now();
    const auto json = report::to_json(event);
    if (!json || std::printf("%s\n", json->c_str()) < 0 || std::fflush(stdout) != 0) ++lost_;
  }

  void add_health(model::ComponentHealth& health) const override {
    health.losses["report.stdout"] = lost_;
  }

 private:
  std::uint64_t lost_ = 0;
};

class ScrubbingSink : public EventSink {
 public:
  ScrubbingSink(std::unique_ptr<EventSink> sink, std::shared_ptr<const detect::Engine> engine,
                detect::Scratch scratch)
      : sink_(std::move(sink)), engine_(std::move(engine)), scratch_(std::move(scratch)) {}

  void offer(model::Event event) override {
    const auto scrubbed =
        detect::scrub_secrets(*engine_, scratch_, matches_, event, {.process = false});
    secrets_ += scrubbed.secrets;
    withheld_ += scrubbed.unscanned;
    sink_->offer(std::move(event));
  }

  void add_health(model::ComponentHealth& health) const override {
    sink_->add_health(health);
    health.counters["report.secrets_cut"] = secrets_;
    health.losses["report.texts_withheld"] = withheld_;
  }

 private:
  std::unique_ptr<EventSink> sink_;
  std::shared_ptr<const detect::Engine> engine_;
  detect::Scratch scratch_;
  std::vector<detect::Match> matches_;
  std::uint64_t secrets_ = 0;
  std::uint64_t withheld_ = 0;
};

}  // namespace

Result<std::unique_ptr<EventSink>> make_scrubbing_sink(
    std::unique_ptr<EventSink> sink, std::shared_ptr<const detect::Engine> engine) {
  AISPM_TRY(detect::Scratch scratch, engine->make_scratch());
  return std::make_unique<ScrubbingSink>(std::move(sink), std::move(engine), std::move(scratch));
}

std::unique_ptr<EventSink> make_reporter_sink(std::unique_ptr<report::Reporter> reporter) {
  return std::make_unique<ReporterSink>(std::move(reporter));
}

std::unique_ptr<EventSink> make_stdout_sink() { return std::make_unique<StdoutSink>(); }

}  // namespace aispm::sensor
