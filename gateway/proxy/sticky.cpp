// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/sticky.hpp"

namespace aispm::gateway {

std::string StickyVerdicts::key_of(std::string_view agent, std::string_view request) {
  std::string key(agent);
  key.push_back('\0');  // no agent id holds one, so no two pairs share a key
  key.append(request);
  return key;
}

void StickyVerdicts::drop(std::list<Entry>::iterator entry) {
  index_.erase(entry->key);
  entries_.erase(entry);
  size_.store(entries_.size(), std::memory_order_release);
}

void StickyVerdicts::remember(std::string_view agent, std::string_view request,
                              model::Decision decision, Time now) {
  if (limit_ == 0) return;
  std::string key = key_of(agent, request);
  const std::lock_guard lock(mutex_);
  if (const auto known = index_.find(key); known != index_.end()) drop(known->second);
  while (entries_.size() >= limit_) drop(std::prev(entries_.end()));
  entries_.push_front({std::move(key), std::move(decision), now + ttl_});
  index_.emplace(entries_.front().key, entries_.begin());
  size_.store(entries_.size(), std::memory_order_release);
}

std::optional<model::Decision> StickyVerdicts::find(std::string_view agent,
                                                    std::string_view request, Time now) {
  const std::string key = key_of(agent, request);
  const std::lock_guard lock(mutex_);
  const auto known = index_.find(key);
  if (known == index_.end()) return std::nullopt;
  if (known->second->until <= now) {
    drop(known->second);
    return std::nullopt;
  }
  entries_.splice(entries_.begin(), entries_, known->second);
  return known->second->decision;
}

void StickyVerdicts::clear() {
  const std::lock_guard lock(mutex_);
  index_.clear();
  entries_.clear();
  size_.store(0, std::memory_order_release);
}

}  // namespace aispm::gateway
