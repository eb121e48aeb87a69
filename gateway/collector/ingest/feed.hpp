// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "gateway/collector/ingest/batch.hpp"
#include "sdk/core/common/result.hpp"

namespace aispm::collector {

// What a subscriber of StreamEvents wants; empty fields do not filter.
struct FeedFilter {
  int kind = 0;  // field number of the body
  std::string agent_id;
  std::string session_id;
  bool fits(const pb::Event& event) const;
};

// One subscriber's ring. Any thread.
class Subscription {
 public:
  // Called (on the writer's thread) when something became available; must only wake somebody.
  using Wake = std::function<void()>;
  Subscription(FeedFilter filter, Wake wake) : filter_(std::move(filter)), wake_(std::move(wake)) {}

  // The next event, or nullptr when none waits.
  std::shared_ptr<const pb::Event> take();
  // Events that came while the ring was full. Once it is not 0 nothing more is put in: the
  // subscriber takes what waits, says the number and ends.
  std::uint64_t dropped() const;
  std::size_t waiting() const;

 private:
  friend class Feed;
  void put(const std::shared_ptr<const pb::Event>& event);

  const FeedFilter filter_;
  const Wake wake_;
  mutable std::mutex mutex_;
  std::deque<std::shared_ptr<const pb::Event>> ring_;
  std::uint64_t dropped_ = 0;
};

// Passes stored events on to subscribers. Never waits for one. Any thread.
class Feed {
 public:
  // kExhausted beyond kMaxSubscribers. The subscription ends when the pointer is dropped.
  Result<std::shared_ptr<Subscription>> subscribe(FeedFilter filter, Subscription::Wake wake);
  void publish(std::span<const std::unique_ptr<Delivery>> group);

 private:
  std::vector<std::shared_ptr<Subscription>> subscribers();
  std::mutex mutex_;
  std::vector<std::weak_ptr<Subscription>> subscribers_;
};

}  // namespace aispm::collector
