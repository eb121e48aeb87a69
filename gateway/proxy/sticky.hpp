// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "sdk/core/model/event.hpp"

namespace aispm::gateway {

// Denials that hold for a while: a client that silently sends a refused request again (streaming or
// not) meets the same answer with the same case, although the upstream would answer differently.
// Bounded: the least recently used entry goes first. Any thread. The time of the question is passed
// in.
class StickyVerdicts {
 public:
  using Time = std::chrono::steady_clock::time_point;
  StickyVerdicts(std::size_t limit_entries, std::chrono::milliseconds time_to_live)
      : limit_(limit_entries), ttl_(time_to_live) {}

  // `request` identifies what was asked: a hash over path and body without the members that ask for
  // streaming.
  void remember(std::string_view agent, std::string_view request, model::Decision decision,
                Time now);
  std::optional<model::Decision> find(std::string_view agent, std::string_view request, Time now);
  // Nothing is remembered: the caller need not hash.
  bool empty() const { return size_.load(std::memory_order_acquire) == 0; }
  // A new policy may decide differently.
  void clear();
  std::size_t size() const { return size_.load(std::memory_order_relaxed); }

 private:
  struct Entry {
    std::string key;
    model::Decision decision;
    Time until;
  };
  static std::string key_of(std::string_view agent, std::string_view request);
  void drop(std::list<Entry>::iterator entry);

  const std::size_t limit_;
  const std::chrono::milliseconds ttl_;
  std::atomic<std::size_t> size_{0};
  std::mutex mutex_;
  std::list<Entry> entries_;  // most recently used first
  std::unordered_map<std::string_view, std::list<Entry>::iterator> index_;
};

}  // namespace aispm::gateway
