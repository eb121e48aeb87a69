// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/report/writer.hpp"

#include "sdk/core/common/id.hpp"
#include "sdk/core/common/log.hpp"
#include "sdk/core/report/event_wire.hpp"

namespace aispm::report {
namespace {

constexpr std::chrono::seconds kUntoldDelay{1};
// A thread keeps the room of its last event for the next one, but not that of a large one, and the
// two queues theirs, but not what a disk that hangs has made them.
constexpr std::size_t kMaxKeptEventBytes = 32U << 10;
constexpr std::size_t kMaxKeptQueueBytes = 4U << 20;

}  // namespace

Writer::Writer(const ReporterOptions& options, Spool& spool, std::function<void()> on_durable)
    : options_(options),
      spool_(spool),
      on_durable_(std::move(on_durable)),
      thread_([this] { run(); }) {}

Writer::~Writer() {
  {
    const std::scoped_lock guard(mutex_);
    stop_ = true;
    work_.notify_all();
  }
  thread_.join();
}

WriterStats Writer::stats() const {
  const std::scoped_lock guard(mutex_);
  return stats_;
}

Result<> Writer::offer(model::Event&& event) {
  if (event.id.empty()) event.id = make_uuid();
  if (event.time.nanoseconds == 0) event.time = wall_now();
  thread_local std::string room;
  const auto taken = take(write_event(event, room));
  if (room.size() > kMaxKeptEventBytes) std::string().swap(room);
  return taken;
}

Result<> Writer::take(std::string_view event) {
  const std::scoped_lock guard(mutex_);
  if (event.size() > kMaxEventBytes) {
    ++stats_.lost_too_large;
    ++untold_;
    return fail(Errc::kTooLarge, "event: larger than " + std::to_string(kMaxEventBytes) + " bytes");
  }
  if (stop_ || queue_.sizes.size() >= options_.queue_limit ||
      queue_.bytes.size() + event.size() > kMaxQueueBytes) {
    ++stats_.lost_queue_full;
    ++untold_;
    return fail(Errc::kExhausted,
                "event queue: full; the disk of the spool is too slow or the load too high");
  }
  if (queue_.sizes.empty()) oldest_ = Clock::now();
  queue_.bytes += event;
  queue_.sizes.push_back(static_cast<std::uint32_t>(event.size()));
  ++stats_.accepted;
  const std::size_t waiting = queue_.sizes.size();
  if (waiting == 1 || waiting == options_.batch_events) work_.notify_one();
  return {};
}

Result<> Writer::flush(std::chrono::milliseconds deadline) {
  std::unique_lock guard(mutex_);
  const std::uint64_t target = stats_.accepted;
  const std::uint64_t failed_before = failed_commits_;
  hurry_ = true;
  work_.notify_one();
  if (!settled_changed_.wait_for(guard, deadline, [&] { return settled_ >= target; }))
    return fail(Errc::kDeadlineExceeded, "flush: not everything is durable after " +
                                             std::to_string(deadline.count()) + " ms");
  if (failed_commits_ != failed_before)
    return fail(Errc::kExhausted, "flush: some events could not be kept, see the spool's losses");
  return {};
}

// Returns when there is something to write, to tell, or the end has come.
void Writer::wait_for_work(std::unique_lock<std::mutex>& guard) {
  work_.wait_for(guard, kUntoldDelay, [this] { return stop_ || hurry_ || !queue_.sizes.empty(); });
  if (queue_.sizes.empty()) return;
  work_.wait_until(guard, oldest_ + options_.batch_delay, [this] {
    return stop_ || hurry_ || queue_.sizes.size() >= options_.batch_events;
  });
}

void Writer::run() {
  Queue events;
  std::unique_lock guard(mutex_);
  for (bool last = false; !last;) {
    wait_for_work(guard);
    last = stop_;
    hurry_ = false;
    std::swap(events, queue_);
    const std::uint64_t untold = std::exchange(untold_, 0);
    guard.unlock();
    spool_.add_loss(untold);
    const bool kept = write_batches(events);
    if (!events.sizes.empty()) is_losing_.store(!kept, std::memory_order_relaxed);
    const std::size_t count = events.sizes.size();
    if (events.bytes.capacity() > kMaxKeptQueueBytes) events = {};
    events.bytes.clear();
    events.sizes.clear();
    guard.lock();
    settled_ += count;
    if (!kept) ++failed_commits_;
    settled_changed_.notify_all();
  }
}

bool Writer::write_batches(const Queue& events) {
  bool kept = true;
  std::string_view rest = events.bytes;
  std::size_t bytes = 0;  // of the batch that is being filled: the front of `rest`
  std::uint32_t count = 0;
  const auto write_batch = [&] {  // the spool counts what it cannot keep
    kept = spool_.append(rest.substr(0, bytes), count).has_value() && kept;
    rest.remove_prefix(bytes);
    bytes = 0;
    count = 0;
  };
  for (const std::uint32_t size : events.sizes) {
    if (count == options_.batch_events || (count > 0 && bytes + size > kMaxBatchBytes))
      write_batch();
    bytes += size;
    ++count;
  }
  // Nothing new to carry the news of a loss: a batch without events does.
  if (count > 0 || (events.sizes.empty() && spool_.untold_losses() > 0)) write_batch();
  if (const auto synced = spool_.sync(); !synced) {
    kept = false;
    log::warn("spool.sync_failed", {{"reason", synced.error().message}});
  }
  on_durable_();
  return kept;
}

}  // namespace aispm::report
