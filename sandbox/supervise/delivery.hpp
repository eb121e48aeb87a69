// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "sandbox/supervise/gateway_link.hpp"

namespace aispm::sandbox {

// Brings events to the gateway and/or a file of JSON lines.
// The first event (SandboxStart) must be accepted before the program starts. Later ones wait in a
// bounded queue, are retried, and what is lost all the same is counted. `offer` never waits; a
// thread of its own sends.
class Delivery {
 public:
  static constexpr std::size_t kMaxQueued = 4096;
  static constexpr std::size_t kMaxBatchBytes = 256 * 1024;
  static constexpr std::size_t kMaxBatchEvents = 1000;  // the gateway takes 1024 a request

  // `events_path` is appended to; empty: no file.
  static Result<std::unique_ptr<Delivery>> open(std::optional<GatewayLink> link,
                                                const std::string& events_path);
  ~Delivery();

  // Waits until everybody has it.
  Result<> deliver_first(const std::string& event);
  void offer(std::string event);
  // To the file alone: what the gateway has recorded itself.
  void note(const std::string& event);
  // For the many that matter less: taken only while half of the queue is free. False: not taken.
  bool offer_line(std::string event);
  // Sends what is left for at most `patience`; gives how many events were lost in all, and why.
  std::uint64_t finish(std::chrono::milliseconds patience, std::string& reason);

  // What the gateway left out of the events because it is older than we are; "" when nothing. Valid
  // after finish().
  std::string not_understood() const;

  // False: nobody takes events, so none need be made.
  bool has_taker() const { return link_.has_value() || static_cast<bool>(file_); }

 private:
  Delivery(std::optional<GatewayLink> link, UniqueFd file)
      : link_(std::move(link)), file_(std::move(file)) {}
  Result<> write_line(const std::string& event);
  void run();
  // Sends a body; counts what the gateway did not understand, says what to do when it refuses.
  Result<> send(const std::string& body, std::chrono::milliseconds timeout);
  std::string next_batch(std::size_t& count) const;

  std::optional<GatewayLink> link_;
  UniqueFd file_;
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> queue_;  // guarded by mutex_, as all below
  std::uint64_t lost_ = 0;
  std::uint64_t unknown_fields_ = 0;
  std::string last_error_;
  bool stopping_ = false;
  std::chrono::steady_clock::time_point give_up_ = std::chrono::steady_clock::time_point::max();
};

}  // namespace aispm::sandbox
