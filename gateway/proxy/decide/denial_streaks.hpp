// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace aispm::gateway {

// How many actions of an agent in a row were denied, in memory: bounded, the least recently used
// goes first. Any thread.
class DenialStreaks {
 public:
  static constexpr std::size_t kMaxAgents = 4096;

  void note(std::string_view agent_id, bool is_denied) {
    const std::lock_guard lock(mutex_);
    const auto known = index_.find(agent_id);
    if (!is_denied) {
      if (known == index_.end()) return;
      const auto place = known->second;
      index_.erase(known);
      agents_.erase(place);
      return;
    }
    if (known != index_.end()) {
      agents_.splice(agents_.begin(), agents_, known->second);
    } else {
      if (agents_.size() >= kMaxAgents) {
        index_.erase(agents_.back().agent);
        agents_.pop_back();
        ++forgotten_;
      }
      agents_.push_front({std::string(agent_id), 0});
      index_.emplace(agents_.front().agent, agents_.begin());
    }
    ++agents_.front().denials;
  }
  unsigned of(std::string_view agent_id) const {
    const std::lock_guard lock(mutex_);
    const auto known = index_.find(agent_id);
    return known == index_.end() ? 0 : known->second->denials;
  }
  // Agents whose streak was given up for others', since the start.
  std::uint64_t forgotten() const {
    const std::lock_guard lock(mutex_);
    return forgotten_;
  }

 private:
  struct Streak {
    std::string agent;
    unsigned denials = 0;
  };
  mutable std::mutex mutex_;
  std::list<Streak> agents_;  // most recently used first
  std::unordered_map<std::string_view, std::list<Streak>::iterator> index_;
  std::uint64_t forgotten_ = 0;
};

}  // namespace aispm::gateway
