// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <stop_token>
#include <thread>

#include "sdk/core/report/backoff.hpp"
#include "sdk/core/report/credentials.hpp"
#include "sdk/core/report/host_facts.hpp"
#include "sdk/core/report/reporter.hpp"
#include "sdk/core/report/spool.hpp"
#include "sdk/core/report/stream.hpp"

namespace aispm::report {

struct SenderStats {
  bool connected = false;
  std::string last_error;
  std::uint64_t acknowledged = 0;
  std::uint64_t rejected = 0;
};

// Carries the spool to the collector: connect, hello, resend from where the collector is, then
// batch by batch with at most kMaxInFlight unacknowledged ones; on any failure waits (backoff) and
// connects again. Nothing of the spool is kept in memory but the batch being written. Runs on a
// thread of its own.
class Sender {
 public:
  static constexpr std::size_t kMaxInFlight = 64;
  static constexpr std::chrono::seconds kHelloLimit{10};
  static constexpr std::chrono::seconds kAckLimit{30};
  static constexpr std::chrono::milliseconds kStopLimit{1000};

  Sender(const ReporterOptions& options, Spool& spool);
  // Gives the collector up to kStopLimit to acknowledge what it can, if connected.
  ~Sender();
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

  // The spool has new durable batches. Any thread.
  void wake();
  SenderStats stats() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct InFlight {
    std::uint64_t sequence;
    std::uint32_t events;
  };

  void run();
  Result<> session();
  Result<> say_hello(ReportStream& stream);
  Result<> carry(ReportStream& stream, WallTime renew_at);
  bool may_send(const ReportStream& stream) const;
  bool is_finished() const;
  void take_acks(const std::vector<v1::Ack>& acks);
  Result<> send_next(ReportStream& stream);
  void settle(std::uint64_t sequence);
  bool is_broken(const ReportStream& stream);
  Error ended(const ReportStream& stream) const;
  void set_connected(bool connected, const std::string& error);
  v1::ReportRequest make_hello() const;

  const ReporterOptions options_;
  const HostFacts facts_;
  Spool& spool_;
  Mailbox mailbox_;
  Backoff backoff_;
  std::deque<InFlight> in_flight_;  // the sender thread's own
  Clock::time_point last_progress_;
  Clock::time_point stop_deadline_;

  mutable std::mutex stats_mutex_;
  SenderStats stats_;
  std::stop_source stop_;
  std::thread thread_;
};

}  // namespace aispm::report
