// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

namespace aispm::gateway {

// A table by name in parts with a lock each, so that callers seldom wait for one another. `Entry`
// is whatever is kept; part and its `mutex` are locked by ShardLocks.
inline constexpr std::size_t kUseShards = 64;

inline std::size_t shard_of(std::string_view key) {
  return std::hash<std::string_view>{}(key) % kUseShards;
}

// Locks those parts that are named, always in the same order, so that all of them can be looked at
// and changed as one. At most `kMax` of them.
template <class Shard, std::size_t kMax>
class ShardLocks {
 public:
  explicit ShardLocks(std::array<Shard, kUseShards>& shards) : shards_(shards) {}
  ~ShardLocks() {
    for (std::size_t i = size_; i-- > 0;) shards_[wanted_[i]].mutex.unlock();
  }
  ShardLocks(const ShardLocks&) = delete;
  ShardLocks& operator=(const ShardLocks&) = delete;

  // Before lock().
  void want(std::size_t shard) { wanted_.at(size_++) = shard; }
  void lock() {
    std::sort(wanted_.begin(), wanted_.begin() + size_);
    size_ = static_cast<std::size_t>(std::unique(wanted_.begin(), wanted_.begin() + size_) -
                                     wanted_.begin());
    for (std::size_t i = 0; i < size_; ++i) shards_[wanted_[i]].mutex.lock();
  }

 private:
  std::array<Shard, kUseShards>& shards_;
  std::array<std::size_t, kMax> wanted_{};
  std::size_t size_ = 0;
};

}  // namespace aispm::gateway
