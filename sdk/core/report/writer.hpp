// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "sdk/core/report/reporter.hpp"
#include "sdk/core/report/spool.hpp"

namespace aispm::report {

struct WriterStats {
  std::uint64_t accepted = 0;
  std::uint64_t lost_queue_full = 0;
  std::uint64_t lost_too_large = 0;
};

// The bounded queue before the spool and the thread that empties it: an event waits at most
// `batch_delay` for company, then all that waits is written as batches and made durable by one
// fdatasync (group commit).
class Writer {
 public:
  static constexpr std::size_t kMaxQueueBytes = 64U << 20;
  static constexpr std::size_t kMaxBatchBytes = 1U << 20;

  // `on_durable` is called on the writer's thread after each commit.
  Writer(const ReporterOptions& options, Spool& spool, std::function<void()> on_durable);
  // Makes everything queued durable.
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  Result<> offer(model::Event&& event);
  Result<> flush(std::chrono::milliseconds deadline);
  WriterStats stats() const;
  // The latest of what was taken could not be kept. Takes no lock.
  bool is_losing() const { return is_losing_.load(std::memory_order_relaxed); }

 private:
  using Clock = std::chrono::steady_clock;

  // Events one behind the other, each one `events` field of an EventBatch. Two of these take turns:
  // no event has memory of its own that one thread takes and another gives back.
  struct Queue {
    std::string bytes;
    std::vector<std::uint32_t> sizes;
  };

  Result<> take(std::string_view event);
  void run();
  void wait_for_work(std::unique_lock<std::mutex>& guard);
  bool write_batches(const Queue& events);

  const ReporterOptions options_;
  Spool& spool_;
  const std::function<void()> on_durable_;

  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable settled_changed_;
  Queue queue_;
  Clock::time_point oldest_;   // when the first of the queue came
  std::uint64_t settled_ = 0;  // of the accepted events: durable or counted as lost
  std::uint64_t failed_commits_ = 0;
  std::uint64_t untold_ = 0;  // refused events the spool has not been told of
  bool hurry_ = false;        // somebody waits in flush()
  bool stop_ = false;
  WriterStats stats_;
  std::atomic<bool> is_losing_{false};
  std::thread thread_;
};

}  // namespace aispm::report
