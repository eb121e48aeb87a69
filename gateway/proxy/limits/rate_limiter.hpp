// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "gateway/proxy/limits/config_limits.hpp"

namespace aispm::gateway {

// Whose request it is; `tool` only of actions.
struct RateAsk {
  std::string_view tenant;
  std::string_view user;  // "": of no user, so only the others count
  std::string_view agent;
  std::string_view tool = {};
};

struct RateVerdict {
  bool passes = true;
  bool is_full = false;       // it does not pass because no more callers can be counted
  bool is_limited = false;    // the rest says something
  RateOf of = RateOf::kUser;  // the limit that is reached, or that has the fewest places left
  std::uint32_t limit = 0;
  std::uint32_t remaining = 0;
  std::chrono::milliseconds window{0};
  std::chrono::milliseconds reset{0};  // until another place is free
};

// Sliding windows over the requests that were let through: within any window there are never more
// than the limit, whatever the number of threads, and who is refused is not counted. A request
// counts for all that it is of, or for none. Memory is bounded by `callers` times their limits.
// Any thread.
class RateLimiter {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit RateLimiter(RateConfig config);
  ~RateLimiter();
  RateLimiter(const RateLimiter&) = delete;
  RateLimiter& operator=(const RateLimiter&) = delete;

  RateVerdict take(const RateAsk& ask, Time now);
  // What take() would say; counts nothing.
  RateVerdict look(const RateAsk& ask, Time now);

  // "this agent may make 70 requests within 60 s; try again in 12 s"
  std::string describe(const RateVerdict& verdict) const;

  std::uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }
  // Of those, for want of room.
  std::uint64_t refused_full() const { return refused_full_.load(std::memory_order_relaxed); }
  // Callers whose counts were given up for others'.
  std::uint64_t forgotten() const { return forgotten_.load(std::memory_order_relaxed); }

 private:
  struct Table;
  struct Counted;
  struct Request;
  RateVerdict judge(const RateAsk& ask, Time now, bool counts);

  const RateConfig config_;
  std::unique_ptr<Table> table_;
  std::atomic<std::uint64_t> refused_{0};
  std::atomic<std::uint64_t> refused_full_{0};
  std::atomic<std::uint64_t> forgotten_{0};
};

// "retry-after" (of a refusal) and "x-ratelimit-..." lines; "" when nothing limits.
std::string rate_headers(const RateVerdict& verdict);
// The rule that events name: "limits.rate.agent".
std::string rule_of(const RateVerdict& verdict);

}  // namespace aispm::gateway
