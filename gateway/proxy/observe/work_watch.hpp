// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>

namespace aispm::gateway {

// The time in which the gateway itself works on an exchange: without the reading and writing of
// sockets and without waits. Readings of the clock cost, so one exchange in kEvery is measured; an
// idle watch reads none.
class WorkWatch {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::uint32_t kEvery = 16;

  // From here on it counts.
  void start() {
    is_on_ = true;
    go_on();
  }
  bool is_on() const { return is_on_; }
  void go_on() {
    if (is_on_ && since_ == Clock::time_point{}) since_ = Clock::now();
  }
  void pause() {
    if (since_ == Clock::time_point{}) return;
    taken_ += Clock::now() - since_;
    since_ = {};
  }
  // Rounded; ends what runs.
  std::uint64_t take_microseconds() {
    pause();
    is_on_ = false;
    return static_cast<std::uint64_t>(
        std::chrono::round<std::chrono::microseconds>(taken_).count());
  }

  // It is waited in this scope.
  class Pause {
   public:
    explicit Pause(WorkWatch& watch) : watch_(watch) { watch_.pause(); }
    ~Pause() { watch_.go_on(); }
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;

   private:
    WorkWatch& watch_;
  };

 private:
  bool is_on_ = false;
  Clock::time_point since_{};
  Clock::duration taken_{};
};

}  // namespace aispm::gateway
