// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/stat.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "sandbox/apply/start.hpp"
#include "sandbox/model/late.hpp"

namespace aispm::sandbox {

using PoolClock = std::chrono::steady_clock;

// Entries of one key are alike.
struct PoolKey {
  Caller caller;
  Want want;
  auto operator<=>(const PoolKey&) const = default;
};

// One sandbox, from its start until nobody can take it any more. Not shared: single-threaded.
class Entry {
 public:
  // Starts to build it. `library` is sandbox/enter, `runner` what an interpreter runs. `number` is
  // unique.
  static Result<std::unique_ptr<Entry>> start(const PoolKey& key, const Plan& base,
                                              const UniqueFd& library, const std::string& runner,
                                              std::uint64_t number, const sigset_t& signal_mask);
  ~Entry();
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;

  const PoolKey& key() const { return key_; }
  int fd() const { return setup_.get(); }  // readable: call advance()
  bool is_ready() const { return is_ready_; }
  PoolClock::time_point born() const { return born_; }
  std::chrono::microseconds build_time() const { return build_time_; }
  // Takes what its processes say. An error: it is of no use.
  Result<> advance();
  // The interpreter's file is the one that was started.
  bool is_current() const;
  // Gives it away: the other end of `connection` holds it then, we only tidy up behind it.
  Result<> hand_over(int connection);

  // Where its control groups are.
  std::vector<std::string> group_parents() const { return prefix_.groups().parents(); }

  // Of process 1, which is our child.
  int pidfd() const { return pidfd_.get(); }
  void kill();
  // True when nothing is left of it.
  bool try_tidy();
  // It goes on without us.
  void forget();

 private:
  Entry(PoolKey key, RootPrefix prefix) : key_(std::move(key)), prefix_(std::move(prefix)) {}

  PoolKey key_;
  RootPrefix prefix_;
  pid_t init_ = -1;
  UniqueFd pidfd_;
  UniqueFd setup_;
  UniqueFd control_;
  UniqueFd port_;
  std::optional<Received> sockets_;
  bool is_ready_ = false;
  bool is_reaped_ = false;
  PoolClock::time_point born_ = PoolClock::now();
  std::chrono::microseconds build_time_{0};
  std::string interpreter_;
  struct stat identity_ {};
};

}  // namespace aispm::sandbox
