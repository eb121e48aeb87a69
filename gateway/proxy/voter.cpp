// SPDX-License-Identifier: Apache-2.0
#include "gateway/proxy/voter.hpp"

namespace aispm::gateway {

Result<std::unique_ptr<Voter>> Voter::open(const VoterConfig& config) {
  std::unique_ptr<Voter> voter(new Voter(config));
  AISPM_TRY(voter->provider_, Provider::open(config.endpoint));
  return voter;
}

Result<> Voter::enter(Clock::time_point now) {
  if (silent_.load(std::memory_order_relaxed) >= kRestAfter) {
    const Clock::rep ticks = now.time_since_epoch().count();
    Clock::rep until = rests_until_.load(std::memory_order_relaxed);
    // Of those that come when the rest is over, one moves its end and tries.
    const Clock::rep next = (now + kRest).time_since_epoch().count();
    if (ticks < until ||
        !rests_until_.compare_exchange_strong(until, next, std::memory_order_relaxed)) {
      counts_.rested.fetch_add(1, std::memory_order_relaxed);
      return fail(Errc::kUnavailable, "did not answer lately, and is left alone for 5 s");
    }
  }
  if (open_.fetch_add(1, std::memory_order_relaxed) < config_.concurrency) return {};
  open_.fetch_sub(1, std::memory_order_relaxed);
  counts_.dropped.fetch_add(1, std::memory_order_relaxed);
  return fail(Errc::kExhausted, "too many questions at once");
}

void Voter::leave(bool spoke, Clock::time_point now) {
  open_.fetch_sub(1, std::memory_order_relaxed);
  if (spoke) {
    silent_.store(0, std::memory_order_relaxed);
  } else if (silent_.fetch_add(1, std::memory_order_relaxed) + 1 == kRestAfter) {
    rests_until_.store((now + kRest).time_since_epoch().count(), std::memory_order_relaxed);
  }
}

}  // namespace aispm::gateway
