// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "gateway/proxy/traffic/config_traffic.hpp"

namespace aispm::gateway {

// Leaves a provider alone that fails: closed (asked), open (not asked until its cool-down is over),
// half open (one request at a time is its trial; how that ends decides). Any thread, without locks:
// of all threads exactly one gets a trial. The time is passed in.
class Breaker {
 public:
  using Time = std::chrono::steady_clock::time_point;
  enum class State : std::uint8_t { kClosed, kOpen, kHalfOpen };

  // Leave to send one request. Whoever has it says how that ended; a trial that ends without a word
  // (the client went away) leaves the circuit as it was, and the next one is the trial. Outlived by
  // its breaker.
  class Permit {
   public:
    Permit(Permit&& other) noexcept
        : breaker_(std::exchange(other.breaker_, nullptr)), is_trial_(other.is_trial_) {}
    Permit& operator=(Permit&&) = delete;
    ~Permit();
    void succeeded(Time now);
    void failed(Time now);

   private:
    friend class Breaker;
    Permit(Breaker& breaker, bool is_trial) : breaker_(&breaker), is_trial_(is_trial) {}
    Breaker* breaker_;
    bool is_trial_;
  };

  explicit Breaker(const BreakerConfig& config);

  // Nothing while the circuit is open, or another request is its trial.
  std::optional<Permit> admit(Time now);
  // A call that had succeeded failed after all: its reply broke off.
  void note_broken(Time now) { note_failure(now); }
  // Would admit() refuse now?
  bool refuses(Time now) const;
  // Until a request may be its trial; zero when closed.
  std::chrono::milliseconds reopens_in(Time now) const;
  State state(Time now) const;
  std::uint64_t times_opened() const { return times_opened_.load(std::memory_order_relaxed); }

 private:
  // `word_`: closed, half open, or the millisecond until which it is open.
  static constexpr std::int64_t kClosedWord = 0;
  static constexpr std::int64_t kTrialWord = -1;
  static constexpr std::int64_t kRetryWord = 1;  // long over: whoever comes next is the trial
  // While somebody's trial is on its way its end is not known: ask again soon.
  static constexpr std::chrono::milliseconds kTrialPatience{1000};
  static constexpr std::size_t kSlots = 10;

  struct Sums {
    std::uint64_t calls = 0;
    std::uint64_t failures = 0;
  };
  static std::int64_t milliseconds(Time now);
  void note_success(Time now);
  void note_failure(Time now);
  void count(Time now, bool is_failure);
  Sums sums(Time now) const;
  void end_trial(bool has_succeeded, Time now);

  const BreakerConfig config_;
  const std::int64_t slot_milliseconds_;
  std::atomic<std::int64_t> word_{kClosedWord};
  std::atomic<std::uint32_t> in_row_{0};
  // Calls and failures of one tenth of the window each: epoch (24 bits), calls (20), failures (20).
  std::array<std::atomic<std::uint64_t>, kSlots> slots_{};
  std::atomic<std::uint64_t> times_opened_{0};
};

std::string_view name_of(Breaker::State state);

}  // namespace aispm::gateway
