// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/traffic/answer_cache.hpp"

namespace aispm::gateway {

void AnswerCache::drop(Place entry) {
  bytes_ -= entry->bytes;
  index_.erase(entry->key);
  entries_.erase(entry);
}

AnswerCache::Answer AnswerCache::find(const std::string& key, Time now) {
  const std::lock_guard lock(mutex_);
  const auto known = index_.find(key);
  if (known == index_.end()) return nullptr;
  if (known->second->until <= now) {
    drop(known->second);
    return nullptr;
  }
  entries_.splice(entries_.begin(), entries_, known->second);
  return known->second->answer;
}

bool AnswerCache::keep(const std::string& key, CachedAnswer answer, Time now) {
  const std::size_t bytes = kEntryBytes + key.size() + answer.body.size() + answer.upstream.size();
  if (bytes > limit_) return false;
  auto kept = std::make_shared<const CachedAnswer>(std::move(answer));
  const std::lock_guard lock(mutex_);
  if (const auto known = index_.find(key); known != index_.end()) drop(known->second);
  while (bytes_ + bytes > limit_) drop(std::prev(entries_.end()));
  entries_.push_front({key, std::move(kept), now + ttl_, bytes});
  index_.emplace(entries_.front().key, entries_.begin());
  bytes_ += bytes;
  return true;
}

void AnswerCache::clear() {
  const std::lock_guard lock(mutex_);
  index_.clear();
  entries_.clear();
  bytes_ = 0;
}

std::size_t AnswerCache::size_bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

std::size_t AnswerCache::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace aispm::gateway
