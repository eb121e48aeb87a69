// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <span>

#include "gateway/proxy/admin_rules.hpp"
#include "gateway/proxy/observe/observatory.hpp"

namespace aispm::gateway {

struct Services;
class Worker;

// What an operator may see and change, whatever door carries it: the routes of operator_routes().
// Any thread; changes wait for each other.
class OperatorDesk {
 public:
  // Both must outlive it.
  OperatorDesk(Services& services, std::span<const std::unique_ptr<Worker>> workers)
      : services_(services), workers_(workers) {}

  AdminReply serve(const AdminRequest& request);
  // Somebody came who may not.
  void note_refused() { refused_.fetch_add(1, std::memory_order_relaxed); }
  // Somebody who had not asked yet was closed: too many had come.
  void note_crowded_out() { crowded_out_.fetch_add(1, std::memory_order_relaxed); }
  // Rates and latencies of this moment.
  Observatory::Moment moment() const;

 private:
  AdminReply show(std::string_view path, std::string_view query);
  std::string prometheus() const;
  AdminReply ask_for_reload(const AdminRequest& request) const;

  Services& services_;
  std::mutex changes_;
  std::atomic<std::uint64_t> refused_{0};
  std::atomic<std::uint64_t> crowded_out_{0};
  const std::span<const std::unique_ptr<Worker>> workers_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};

}  // namespace aispm::gateway
