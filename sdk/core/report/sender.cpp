// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/report/sender.hpp"

#include "sdk/core/common/log.hpp"
#include "sdk/core/common/utf8.hpp"
#include "sdk/core/report/grpc_error.hpp"

namespace aispm::report {

Sender::Sender(const ReporterOptions& options, Spool& spool)
    : options_(options), facts_(read_host_facts()), spool_(spool), thread_([this] { run(); }) {}

Sender::~Sender() {
  {
    const std::scoped_lock guard(mailbox_.mutex);
    mailbox_.stop = true;
    stop_deadline_ = Clock::now() + kStopLimit;
    mailbox_.changed.notify_all();
  }
  stop_.request_stop();
  thread_.join();
}

void Sender::wake() {
  const std::scoped_lock guard(mailbox_.mutex);
  mailbox_.has_data = true;
  mailbox_.changed.notify_all();
}

SenderStats Sender::stats() const {
  const std::scoped_lock guard(stats_mutex_);
  return stats_;
}

void Sender::set_connected(bool connected, const std::string& error) {
  const std::scoped_lock guard(stats_mutex_);
  if (connected && !stats_.connected)
    log::info("report.connected", {{"collector", options_.collector}});
  // Once per reason, not once per attempt.
  if (!connected && stats_.last_error != error)
    log::warn("report.disconnected", {{"collector", options_.collector}, {"reason", error}});
  stats_.connected = connected;
  stats_.last_error = error;
}

void Sender::run() {
  std::unique_lock guard(mailbox_.mutex);
  while (!mailbox_.stop) {
    guard.unlock();
    const Result<> ended = session();
    guard.lock();
    if (mailbox_.stop) break;
    if (ended) continue;  // a new certificate or producer id: connect again at once
    set_connected(false, ended.error().message);
    mailbox_.changed.wait_for(guard, backoff_.next(), [this] { return mailbox_.stop; });
  }
  const std::scoped_lock stats_guard(stats_mutex_);
  stats_.connected = false;
}

// One connection from start to end. Success means: connect again now.
Result<> Sender::session() {
  AISPM_TRY(const ClientCertificate certificate, obtain_certificate(options_, stop_.get_token()));
  ReportStream stream(mailbox_, open_channel(options_, certificate));
  stream.begin(make_hello());
  Result<> outcome = say_hello(stream);
  if (outcome && stream.hello_reply) {
    auto known = spool_.rewind(stream.hello_reply->acknowledged_sequence());
    if (!known) {
      outcome = fail(std::move(known).error());
    } else if (*known) {
      settle(stream.hello_reply->acknowledged_sequence());
      in_flight_.clear();  // the rest is sent again
      outcome = carry(stream, certificate.renew_at);
    }
  }
  const bool broken = is_broken(stream);
  stream.end(std::chrono::milliseconds(200));
  if (broken) return fail(ended(stream));
  return outcome;
}

v1::ReportRequest Sender::make_hello() const {
  v1::ReportRequest request;
  auto& hello = *request.mutable_hello();
  hello.set_component(options_.component);
  hello.set_version(options_.version);
  hello.set_hostname(to_utf8(facts_.hostname));
  hello.set_producer_id(spool_.producer_id());
  auto& host = *hello.mutable_host();
  host.set_machine_id(facts_.machine_id);
  host.set_os(to_utf8(facts_.os));
  host.set_kernel(to_utf8(facts_.kernel));
  host.set_architecture(facts_.architecture);
  host.set_boot_id(facts_.boot_id);
  return request;
}

Error Sender::ended(const ReportStream& stream) const {
  if (stream.status.ok())
    return {Errc::kUnavailable, "collector " + options_.collector + ": ended the stream"};
  return from_grpc(stream.status, "collector " + options_.collector);
}

bool Sender::is_broken(const ReportStream& stream) {
  const std::scoped_lock guard(mailbox_.mutex);
  return stream.broken;
}

// An end of the stream is not an error here: session() finds out why it ended.
Result<> Sender::say_hello(ReportStream& stream) {
  std::unique_lock guard(mailbox_.mutex);
  mailbox_.changed.wait_for(guard, kHelloLimit,
                            [&] { return mailbox_.stop || stream.broken || stream.hello_reply; });
  if (mailbox_.stop || stream.broken || stream.hello_reply) return {};
  return fail(Errc::kDeadlineExceeded, "collector " + options_.collector +
                                           ": no answer to hello within " +
                                           std::to_string(kHelloLimit.count()) + " s");
}

// The three below: caller holds the mailbox's lock.
bool Sender::may_send(const ReportStream& stream) const {
  return stream.can_write && mailbox_.has_data && in_flight_.size() < kMaxInFlight;
}

bool Sender::is_finished() const {
  return mailbox_.stop &&
         ((!mailbox_.has_data && in_flight_.empty()) || Clock::now() >= stop_deadline_);
}

Result<> Sender::carry(ReportStream& stream, WallTime renew_at) {
  constexpr std::chrono::milliseconds kLook{1000};
  set_connected(true, "");
  backoff_.reset();
  last_progress_ = Clock::now();
  std::unique_lock guard(mailbox_.mutex);
  mailbox_.has_data = true;
  while (!is_finished()) {
    const auto until = mailbox_.stop ? stop_deadline_ : Clock::now() + kLook;
    mailbox_.changed.wait_until(guard, until, [&] {
      return stream.broken || !stream.acks.empty() || may_send(stream) || is_finished();
    });
    if (stream.broken) return {};
    const std::vector<v1::Ack> acks = std::exchange(stream.acks, {});
    const bool send = may_send(stream);
    if (send) mailbox_.has_data = false;
    guard.unlock();
    take_acks(acks);
    if (send) AISPM_CHECK(send_next(stream));
    if (!in_flight_.empty() && Clock::now() - last_progress_ > kAckLimit)
      return fail(Errc::kDeadlineExceeded, "collector " + options_.collector +
                                               ": no acknowledgement within " +
                                               std::to_string(kAckLimit.count()) + " s");
    if (in_flight_.empty() && wall_now() >= renew_at) return {};
    guard.lock();
  }
  return {};
}

Result<> Sender::send_next(ReportStream& stream) {
  AISPM_TRY(std::optional<StoredBatch> stored, spool_.next());
  if (!stored) return {};
  v1::ReportRequest request;
  auto& batch = *request.mutable_batch();
  if (!batch.ParseFromString(stored->payload)) {
    // The checksum held, so we wrote it so: a bug, which must not stop the delivery of the rest.
    log::error("report.batch_unreadable",
               {{"sequence", stored->sequence}, {"events", stored->events}});
    batch.Clear();
    batch.set_sequence(stored->sequence);
    stored->lost_before += stored->events;
  }
  batch.set_lost_before(stored->lost_before);
  if (in_flight_.empty()) last_progress_ = Clock::now();
  in_flight_.push_back({stored->sequence, stored->events});
  {
    const std::scoped_lock guard(mailbox_.mutex);
    mailbox_.has_data = true;
  }
  stream.write(std::move(request));
  return {};
}

void Sender::take_acks(const std::vector<v1::Ack>& acks) {
  for (const v1::Ack& ack : acks) {
    settle(ack.sequence());
    spool_.acknowledge(ack.sequence());
    const std::scoped_lock guard(stats_mutex_);
    stats_.rejected += ack.rejected();
  }
}

void Sender::settle(std::uint64_t sequence) {
  const std::scoped_lock guard(stats_mutex_);
  while (!in_flight_.empty() && in_flight_.front().sequence <= sequence) {
    stats_.acknowledged += in_flight_.front().events;
    in_flight_.pop_front();
    last_progress_ = Clock::now();
  }
}

}  // namespace aispm::report
