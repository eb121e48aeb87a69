// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/recorder.hpp"

#include <chrono>

#include "gateway/proxy/version.hpp"
#include "sdk/core/common/log.hpp"

namespace aispm::gateway {
namespace {

using std::chrono::steady_clock;

// After a loss nothing is taken for granted until events (health reports at least) were kept for
// this long.
constexpr std::chrono::seconds kDistrust{10};
constexpr std::chrono::seconds kFlushLimit{3};

// Without a report section: exchanges are judged but not recorded, as the configuration says.
class NoRecorder : public Recorder {
 public:
  void offer(model::Event&&) override { refused_.fetch_add(1, std::memory_order_relaxed); }
  bool is_failing() const override { return false; }
  void poll() override {}
  State state() const override {
    return {.configured = false, .failing = false, .refused = refused_, .delivery = {}};
  }
  void flush() override {}

 private:
  std::atomic<std::uint64_t> refused_{0};
};

class ReportRecorder : public Recorder {
 public:
  ReportRecorder(std::unique_ptr<report::Reporter> reporter,
                 std::unique_ptr<report::KeyWatcher> watcher)
      : watcher_(std::move(watcher)), reporter_(std::move(reporter)) {}

  void offer(model::Event&& event) override {
    if (reporter_->offer(std::move(event))) return;
    refused_.fetch_add(1, std::memory_order_relaxed);
    distrust();
  }

  // poll() alone would be late: what is served until then leaves no record.
  bool is_failing() const override {
    if (reporter_->is_losing()) return true;
    const std::int64_t until = distrusted_until_.load(std::memory_order_relaxed);
    return until != 0 && steady_clock::now().time_since_epoch().count() < until;
  }

  void poll() override {
    const auto stats = reporter_->stats();
    const std::uint64_t lost =
        stats.lost_queue_full + stats.lost_spool_full + stats.lost_disk_error;
    if (lost > lost_) distrust();
    lost_ = lost;
    const bool failing = is_failing();
    if (failing != was_failing_ && failing)
      log::error("record.failing", {{"lost", lost}, {"reason", why(stats)}});
    if (failing != was_failing_ && !failing) log::info("record.recovered", {{"lost", lost}});
    was_failing_ = failing;
  }

  State state() const override {
    return {.configured = true,
            .failing = is_failing(),
            .refused = refused_,
            .delivery = reporter_->stats()};
  }

  void flush() override {
    if (auto flushed = reporter_->flush(kFlushLimit); !flushed)
      log::error("record.flush", flushed.error());
  }

 private:
  // Without a word of the disk it is the spool that is full: nobody takes what it holds.
  static const std::string& why(const report::ReporterStats& stats) {
    return stats.disk_error.empty() ? stats.last_error : stats.disk_error;
  }

  void distrust() {
    distrusted_until_.store((steady_clock::now() + kDistrust).time_since_epoch().count(),
                            std::memory_order_relaxed);
  }

  std::unique_ptr<report::KeyWatcher> watcher_;
  std::unique_ptr<report::Reporter> reporter_;
  std::atomic<std::uint64_t> refused_{0};
  std::atomic<std::int64_t> distrusted_until_{0};
  std::uint64_t lost_ = 0;  // as of the last poll()
  bool was_failing_ = false;
};

}  // namespace

report::ReporterOptions reporter_options(const Config& config) {
  report::ReporterOptions options;
  options.component = "gateway";
  options.version = kVersion;
  options.collector = config.report->collector;
  options.state_folder = config.report->state_folder;
  options.enrolment_token = config.report->enrolment_token.expose();
  options.spool_cap_bytes = config.report->spool_cap_bytes;
  return options;
}

Result<std::unique_ptr<Recorder>> Recorder::open(const Config& config, KeyStore& keys) {
  if (!config.report) return std::make_unique<NoRecorder>();
  const report::ReporterOptions options = reporter_options(config);
  AISPM_TRY(std::unique_ptr<report::Reporter> reporter, report::Reporter::open(options));
  AISPM_TRY(std::unique_ptr<report::KeyWatcher> watcher,
            report::KeyWatcher::open(options, [&keys](std::vector<report::AgentKey> followed) {
              keys.follow(followed);
            }));
  return std::make_unique<ReportRecorder>(std::move(reporter), std::move(watcher));
}

}  // namespace aispm::gateway
