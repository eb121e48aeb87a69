// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <time.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>

namespace aispm::net {

// Deadlines of all sockets of one thread by one timer: setting one is a store, and every kTick the
// few that ran out are told. A deadline may therefore be late by kTick and kCoarse, never early.
// Lives on one io_context thread and outlives its entries.
class Watchdog {
 public:
  static constexpr std::chrono::milliseconds kTick{100};
  // How far the kernel's coarse clock may be behind: its tick, at 100 Hz.
  static constexpr std::chrono::milliseconds kCoarse{10};

  // Something with a deadline. Registers itself; unlinks itself.
  class Entry {
   public:
    explicit Entry(Watchdog& owner);
    virtual ~Entry();
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

    void expire_after(std::chrono::milliseconds limit) {
      deadline_ = coarse_now() + kCoarse + limit;
    }
    void expire_never() { deadline_ = std::chrono::steady_clock::time_point::max(); }

   protected:
    // The deadline ran out: abort what waits.
    virtual void on_expired() = 0;

   private:
    friend class Watchdog;
    // steady_clock's time as of the kernel's last tick, for a quarter of what it costs to ask: an
    // exchange sets five deadlines.
    static std::chrono::steady_clock::time_point coarse_now() {
      timespec now{};
      ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
      return std::chrono::steady_clock::time_point(std::chrono::seconds(now.tv_sec) +
                                                   std::chrono::nanoseconds(now.tv_nsec));
    }

    Entry* previous_ = nullptr;
    Entry* next_ = nullptr;
    Watchdog& owner_;
    std::chrono::steady_clock::time_point deadline_ = std::chrono::steady_clock::time_point::max();
  };

  explicit Watchdog(boost::asio::io_context& context);
  // Stops the timer, so that the io_context can run out of work.
  void stop();
  // Calls on_expired of every entry: the end of the program.
  void expire_all();

 private:
  void tick();
  boost::asio::steady_timer timer_;
  Entry* first_ = nullptr;
  bool stopped_ = false;
};

}  // namespace aispm::net
