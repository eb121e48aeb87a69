// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/report/reporter.hpp"

#include "sdk/core/common/file.hpp"
#include "sdk/core/report/credentials.hpp"
#include "sdk/core/report/sender.hpp"
#include "sdk/core/report/spool.hpp"
#include "sdk/core/report/writer.hpp"

namespace aispm::report {
namespace {

class SpoolingReporter final : public Reporter {
 public:
  SpoolingReporter(const ReporterOptions& options, std::unique_ptr<Spool> spool)
      : spool_(std::move(spool)),
        sender_(options, *spool_),
        writer_(options, *spool_, [this] { sender_.wake(); }) {}

  Result<> offer(model::Event&& event) override { return writer_.offer(std::move(event)); }
  Result<> flush(std::chrono::milliseconds deadline) override { return writer_.flush(deadline); }
  bool is_losing() const override { return writer_.is_losing(); }

  ReporterStats stats() const override {
    const SpoolStats spool = spool_->stats();
    const SenderStats sender = sender_.stats();
    const WriterStats writer = writer_.stats();
    ReporterStats stats;
    stats.connected = sender.connected;
    stats.last_error = sender.last_error;
    stats.accepted = writer.accepted;
    stats.acknowledged = sender.acknowledged;
    stats.spooled_bytes = spool.bytes;
    stats.lost_queue_full = writer.lost_queue_full;
    stats.lost_spool_full = spool.lost_full;
    stats.lost_disk_error = spool.lost_disk;
    stats.lost_too_large = writer.lost_too_large;
    stats.rejected = sender.rejected;
    stats.disk_error = spool.disk_error;
    return stats;
  }

 private:
  // Destroyed from the bottom: the writer makes all durable, then the sender delivers what it can.
  std::unique_ptr<Spool> spool_;
  Sender sender_;
  Writer writer_;
};

Result<> check(const ReporterOptions& options) {
  if (options.component.empty()) return fail(Errc::kInvalid, "reporter: `component` is missing");
  if (options.state_folder.empty())
    return fail(Errc::kInvalid, "reporter: `state_folder` is missing");
  if (options.queue_limit == 0 || options.batch_events == 0)
    return fail(Errc::kInvalid, "reporter: queue and batch limits must not be 0");
  AISPM_TRY(const std::string host, host_of(options.collector));
  if (host.empty()) return fail(Errc::kInvalid, "reporter: the collector's host is missing");
  if (options.enrolment_token.empty()) return {};
  AISPM_TRY(const EnrolmentToken token, parse_enrolment_token(options.enrolment_token));
  (void)token;
  return {};
}

}  // namespace

Result<std::unique_ptr<Reporter>> Reporter::open(ReporterOptions options) {
  AISPM_CHECK(check(options));
  AISPM_CHECK(make_directories(options.state_folder, 0700));
  AISPM_TRY(std::unique_ptr<Spool> spool,
            Spool::open(options.state_folder + "/spool", options.spool_cap_bytes));
  return std::make_unique<SpoolingReporter>(options, std::move(spool));
}

}  // namespace aispm::report
