// SPDX-License-Identifier: Apache-2.0
#include "sdk/core/report/writer.hpp"

#include <array>
#include <cstring>

#include "aispm/v1/ingest.pb.h"
#include "sdk/core/common/id.hpp"
#include "sdk/core/common/log.hpp"
#include "sdk/core/report/convert.hpp"

namespace aispm::report {
namespace {

constexpr std::chrono::seconds kUntoldDelay{1};
// A thread keeps the memory of its last event for the next one, but not that of a large one.
constexpr std::size_t kMaxKeptMessageBytes = 16U << 10;

// The event as one `events` field of an EventBatch: such pieces are put together to a batch without
// parsing them again.
std::string serialize(const model::Event& event) {
  thread_local v1::Event message;
  to_proto(event, message);
  const std::size_t size = message.ByteSizeLong();
  std::array<char, 12> head;
  std::size_t head_size = 0;
  head[head_size++] = static_cast<char>(v1::EventBatch::kEventsFieldNumber << 3 | 2);
  for (std::size_t rest = size;; rest >>= 7) {
    head[head_size++] = static_cast<char>(rest >= 0x80 ? rest | 0x80 : rest);
    if (rest < 0x80) break;
  }
  std::string bytes(head_size + size, '\0');
  std::memcpy(bytes.data(), head.data(), head_size);
  message.SerializeWithCachedSizesToArray(
      reinterpret_cast<std::uint8_t*>(bytes.data() + head_size));
  if (size > kMaxKeptMessageBytes) v1::Event().Swap(&message);
  return bytes;
}

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
  std::string bytes = serialize(event);
  const std::scoped_lock guard(mutex_);
  if (bytes.size() > kMaxEventBytes) {
    ++stats_.lost_too_large;
    ++untold_;
    return fail(Errc::kTooLarge, "event: larger than " + std::to_string(kMaxEventBytes) + " bytes");
  }
  if (stop_ || queue_.size() >= options_.queue_limit ||
      queue_bytes_ + bytes.size() > kMaxQueueBytes) {
    ++stats_.lost_queue_full;
    ++untold_;
    return fail(Errc::kExhausted,
                "event queue: full; the disk of the spool is too slow or the load too high");
  }
  if (queue_.empty()) oldest_ = Clock::now();
  queue_bytes_ += bytes.size();
  queue_.push_back(std::move(bytes));
  ++stats_.accepted;
  if (queue_.size() == 1 || queue_.size() == options_.batch_events) work_.notify_one();
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
  work_.wait_for(guard, kUntoldDelay, [this] { return stop_ || hurry_ || !queue_.empty(); });
  if (queue_.empty()) return;
  work_.wait_until(guard, oldest_ + options_.batch_delay,
                   [this] { return stop_ || hurry_ || queue_.size() >= options_.batch_events; });
}

void Writer::run() {
  std::vector<std::string> events;
  std::unique_lock guard(mutex_);
  for (bool last = false; !last;) {
    wait_for_work(guard);
    last = stop_;
    hurry_ = false;
    events.clear();
    events.swap(queue_);
    queue_bytes_ = 0;
    const std::uint64_t untold = std::exchange(untold_, 0);
    guard.unlock();
    spool_.add_loss(untold);
    const bool kept = write_batches(events);
    guard.lock();
    settled_ += events.size();
    if (!kept) ++failed_commits_;
    settled_changed_.notify_all();
  }
}

bool Writer::write_batches(const std::vector<std::string>& events) {
  bool kept = true;
  std::string bytes;
  std::uint32_t count = 0;
  for (const std::string& event : events) {
    if (count == options_.batch_events ||
        (count > 0 && bytes.size() + event.size() > kMaxBatchBytes)) {
      kept = write_batch(bytes, count) && kept;
      bytes.clear();
      count = 0;
    }
    bytes += event;
    ++count;
  }
  if (count > 0) kept = write_batch(bytes, count) && kept;
  // Nothing new to carry the news of a loss: a batch without events does.
  if (events.empty() && spool_.untold_losses() > 0) kept = write_batch("", 0) && kept;
  if (const auto synced = spool_.sync(); !synced) {
    kept = false;
    log::warn("spool.sync_failed", {{"reason", synced.error().message}});
  }
  on_durable_();
  return kept;
}

// The spool counts what it cannot keep.
bool Writer::write_batch(const std::string& bytes, std::uint32_t events) {
  return spool_.append(bytes, events).has_value();
}

}  // namespace aispm::report
