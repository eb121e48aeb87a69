// SPDX-License-Identifier: Apache-2.0
#include "gateway/collector/ingest/feed.hpp"

#include <algorithm>

#include "gateway/collector/limits.hpp"

namespace aispm::collector {

bool FeedFilter::fits(const pb::Event& event) const {
  return (kind == 0 || kind == static_cast<int>(event.body_case())) &&
         (agent_id.empty() || agent_id == event.agent_id()) &&
         (session_id.empty() || session_id == event.session_id());
}

std::shared_ptr<const pb::Event> Subscription::take() {
  const std::lock_guard lock(mutex_);
  if (ring_.empty()) return nullptr;
  auto event = std::move(ring_.front());
  ring_.pop_front();
  return event;
}

std::uint64_t Subscription::dropped() const {
  const std::lock_guard lock(mutex_);
  return dropped_;
}

std::size_t Subscription::waiting() const {
  const std::lock_guard lock(mutex_);
  return ring_.size();
}

void Subscription::put(const std::shared_ptr<const pb::Event>& event) {
  const std::lock_guard lock(mutex_);
  if (dropped_ > 0 || ring_.size() >= limits::kSubscriberRing)
    ++dropped_;
  else
    ring_.push_back(event);
}

Result<std::shared_ptr<Subscription>> Feed::subscribe(FeedFilter filter, Subscription::Wake wake) {
  const std::lock_guard lock(mutex_);
  std::erase_if(subscribers_, [](const auto& weak) { return weak.expired(); });
  if (subscribers_.size() >= limits::kMaxSubscribers)
    return fail(Errc::kExhausted,
                "too many live streams: at most " + std::to_string(limits::kMaxSubscribers));
  auto subscription = std::make_shared<Subscription>(std::move(filter), std::move(wake));
  subscribers_.push_back(subscription);
  return subscription;
}

std::vector<std::shared_ptr<Subscription>> Feed::subscribers() {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Subscription>> all;
  for (const auto& weak : subscribers_)
    if (auto subscription = weak.lock()) all.push_back(std::move(subscription));
  return all;
}

void Feed::publish(std::span<const std::unique_ptr<Delivery>> group) {
  const auto all = subscribers();
  if (all.empty()) return;
  for (const auto& delivery : group) {
    for (const IncomingEvent& incoming : delivery->events) {
      if (!incoming.is_stored) continue;
      std::shared_ptr<const pb::Event>
          copy;  // made for the first who wants it; the arena ends with the delivery
      for (const auto& subscription : all) {
        if (!subscription->filter_.fits(*incoming.event)) continue;
        if (!copy) copy = std::make_shared<const pb::Event>(*incoming.event);
        subscription->put(copy);
      }
    }
  }
  for (const auto& subscription : all)
    if (subscription->waiting() > 0 || subscription->dropped() > 0) subscription->wake_();
}

}  // namespace aispm::collector
