// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <optional>
#include <utility>

namespace aispm::sensor {

// A map that holds at most `limit` entries: putting one more drops the one put or found longest
// ago. Not thread-safe.
template <typename Key, typename Value>
class LruMap {
 public:
  explicit LruMap(std::size_t limit) : limit_(limit) {}

  // Gives what had to go.
  std::optional<std::pair<Key, Value>> put(const Key& key, Value value) {
    if (const auto found = places_.find(key); found != places_.end()) {
      found->second->second = std::move(value);
      entries_.splice(entries_.end(), entries_, found->second);
      return std::nullopt;
    }
    std::optional<std::pair<Key, Value>> dropped;
    if (places_.size() >= limit_ && !entries_.empty()) dropped = pop_oldest();
    entries_.emplace_back(key, std::move(value));
    places_.emplace(key, std::prev(entries_.end()));
    return dropped;
  }

  // The map must not be empty.
  std::pair<Key, Value> pop_oldest() {
    std::pair<Key, Value> oldest = std::move(entries_.front());
    places_.erase(oldest.first);
    entries_.pop_front();
    return oldest;
  }

  // Null when there is none. Valid until the entry is dropped.
  Value* find(const Key& key) {
    const auto found = places_.find(key);
    if (found == places_.end()) return nullptr;
    entries_.splice(entries_.end(), entries_, found->second);
    return &found->second->second;
  }

  // As find(), without counting as a use.
  Value* peek(const Key& key) {
    const auto found = places_.find(key);
    return found == places_.end() ? nullptr : &found->second->second;
  }

  void erase(const Key& key) {
    const auto found = places_.find(key);
    if (found == places_.end()) return;
    entries_.erase(found->second);
    places_.erase(found);
  }

  // Drops all entries for which is_gone(key, value) holds.
  template <typename IsGone>
  void erase_if(IsGone is_gone) {
    for (auto entry = entries_.begin(); entry != entries_.end();) {
      if (!is_gone(entry->first, entry->second)) {
        ++entry;
        continue;
      }
      places_.erase(entry->first);
      entry = entries_.erase(entry);
    }
  }

  // Calls use(key, value) for each, least recently used first; changes no order.
  template <typename Use>
  void for_each(Use use) {
    for (auto& [key, value] : entries_) use(key, value);
  }

  std::size_t size() const { return places_.size(); }
  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }

 private:
  using Entries = std::list<std::pair<Key, Value>>;
  std::size_t limit_;
  Entries entries_;  // least recently used first
  std::map<Key, typename Entries::iterator> places_;
};

}  // namespace aispm::sensor
