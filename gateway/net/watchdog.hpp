// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>

namespace aispm::net {

// Deadlines of all sockets of one thread by one timer: setting one is a store, and every kTick the
// few that ran out are told. A deadline may therefore be late by kTick, never early. Lives on one
// io_context thread and outlives its entries.
class Watchdog {
 public:
  static constexpr std::chrono::milliseconds kTick{100};

  // Something with a deadline. Registers itself; unlinks itself.
  class Entry {
   public:
    explicit Entry(Watchdog& owner);
    virtual ~Entry();
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

    void expire_after(std::chrono::milliseconds limit) {
      deadline_ = std::chrono::steady_clock::now() + limit;
    }
    void expire_never() { deadline_ = std::chrono::steady_clock::time_point::max(); }

   protected:
    // The deadline ran out: abort what waits.
    virtual void on_expired() = 0;

   private:
    friend class Watchdog;
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
