// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/ingest/writer.hpp"

#include <algorithm>

#include "gateway/collector/limits.hpp"
#include "sdk/core/common/log.hpp"

namespace aispm::collector {
namespace {

constexpr std::chrono::milliseconds kFirstRetry{200};
constexpr std::chrono::milliseconds kLastRetry{5000};
constexpr std::chrono::seconds kIdleLook{5};
constexpr std::chrono::seconds kRetentionPause{30};
constexpr std::uint32_t kRetentionChunk = 5000;

std::size_t weight_of(const Delivery& delivery) {
  return std::max<std::size_t>(1, delivery.events.size());
}

}  // namespace

std::unique_ptr<Writer> Writer::start(std::unique_ptr<store::EventWriter> store, Feed& feed,
                                      Retention retention, WallClock clock) {
  return std::make_unique<Writer>(std::move(store), feed, retention, std::move(clock));
}

Writer::Writer(std::unique_ptr<store::EventWriter> store, Feed& feed, Retention retention,
               WallClock clock)
    : store_(std::move(store)),
      feed_(feed),
      retention_(retention),
      clock_(std::move(clock)),
      thread_([this] { run(); }) {}

Writer::~Writer() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

bool Writer::offer(std::unique_ptr<Delivery>& delivery, Done done, Wake wake) {
  const std::lock_guard lock(mutex_);
  const std::size_t events = weight_of(*delivery);
  // One delivery always fits an empty queue, whatever its size.
  const bool is_full =
      !queue_.empty() && (state_.queue_events + events > limits::kMaxQueueEvents ||
                          state_.queue_bytes + delivery->bytes > limits::kMaxQueueBytes);
  if (is_full) {
    waiting_.push_back(std::move(wake));
    return false;
  }
  state_.queue_events += events;
  state_.queue_bytes += delivery->bytes;
  queue_.push_back({std::move(delivery), std::move(done)});
  changed_.notify_one();
  return true;
}

WriterState Writer::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

void Writer::set_problem(const std::string& problem) {
  {
    const std::lock_guard lock(mutex_);
    if (state_.problem == problem) return;
    state_.problem = problem;
  }
  if (problem.empty())
    log::info("store.recovered");
  else
    log::error("store.failing",
               {{"reason", problem}, {"effect", "acknowledgements withheld, producers spool"}});
}

bool Writer::take_group(std::vector<std::unique_ptr<Delivery>>& group, std::vector<Done>& dones) {
  std::vector<Wake> waiting;
  {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kIdleLook, [this] { return is_stopping_ || !queue_.empty(); });
    if (is_stopping_) return false;
    std::size_t events = 0;
    while (!queue_.empty() && events < limits::kMaxGroupEvents) {
      Item& item = queue_.front();
      events += weight_of(*item.delivery);
      state_.queue_bytes -= item.delivery->bytes;
      group.push_back(std::move(item.delivery));
      dones.push_back(std::move(item.done));
      queue_.pop_front();
    }
    state_.queue_events -= events;
    waiting.swap(waiting_);
  }
  for (const Wake& wake : waiting) wake();
  return true;
}

bool Writer::commit(std::vector<std::unique_ptr<Delivery>>& group) {
  auto pause = kFirstRetry;
  for (;;) {
    const auto done = store_->commit(group, clock_());
    if (done) {
      set_problem("");
      return true;
    }
    set_problem(done.error().message);
    // A full disk may be ours to empty.
    if (done.error().code == Errc::kExhausted) retain();
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, pause, [this] { return is_stopping_; })) return false;
    pause = std::min(pause * 2, kLastRetry);
  }
}

void Writer::retain() {
  const WallTime now = clock_();
  const WallTime oldest{now.nanoseconds - std::chrono::nanoseconds(retention_.max_age).count()};
  const auto deleted = store_->retain(oldest, retention_.max_bytes, kRetentionChunk);
  if (!deleted) log::warn("store.retention_failed", {{"reason", deleted.error().message}});
  // A full chunk: there is more, so go on after the next group. Small chunks keep acknowledgements
  // quick.
  const bool is_more = deleted && *deleted == kRetentionChunk;
  next_retention_ =
      std::chrono::steady_clock::now() + (is_more ? std::chrono::seconds(0) : kRetentionPause);
}

void Writer::run() {
  next_retention_ = std::chrono::steady_clock::now();
  for (;;) {
    std::vector<std::unique_ptr<Delivery>> group;
    std::vector<Done> dones;
    if (!take_group(group, dones)) return;
    if (!group.empty()) {
      if (!commit(group)) return;
      for (std::size_t i = 0; i < group.size(); ++i) dones[i](*group[i]);
      feed_.publish(group);
    }
    if (std::chrono::steady_clock::now() >= next_retention_) retain();
  }
}

}  // namespace aispm::collector
