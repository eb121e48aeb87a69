// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace aispm::gateway {

// A whole reply (JSON) as its provider gave it and its client got it.
struct CachedAnswer {
  std::string body;
  std::string upstream;  // who gave it
};

// Replies by what was asked. Bounded in bytes and time; the least recently used goes first. What a
// key stands for, and who may get an answer, is the caller's affair: keys are keyed hashes of all
// of it. Any thread; the time is passed in.
class AnswerCache {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Answer = std::shared_ptr<const CachedAnswer>;

  AnswerCache(std::size_t limit_bytes, std::chrono::milliseconds time_to_live)
      : limit_(limit_bytes), ttl_(time_to_live) {}

  // Null: nothing is kept, or no longer.
  Answer find(const std::string& key, Time now);
  // Takes the place of an older one. What is larger than all of the cache is not kept: false.
  bool keep(const std::string& key, CachedAnswer answer, Time now);
  // Rules have changed: nothing that was judged by the old ones is given again.
  void clear();
  std::size_t size_bytes() const;
  std::size_t size() const;

 private:
  struct Entry {
    std::string key;
    Answer answer;
    Time until;
    std::size_t bytes;
  };
  using Place = std::list<Entry>::iterator;
  void drop(Place entry);

  // Of an entry besides its texts.
  static constexpr std::size_t kEntryBytes = 256;

  const std::size_t limit_;
  const std::chrono::milliseconds ttl_;
  mutable std::mutex mutex_;
  std::list<Entry> entries_;  // most recently used first
  std::unordered_map<std::string_view, Place> index_;
  std::size_t bytes_ = 0;
};

}  // namespace aispm::gateway
