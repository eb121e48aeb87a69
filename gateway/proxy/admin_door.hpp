// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "gateway/proxy/admin_callers.hpp"
#include "gateway/proxy/observe/operator_desk.hpp"
#include "gateway/proxy/services.hpp"
#include "sdk/core/common/unique_fd.hpp"

namespace aispm::gateway {

// An operator's own door: a Unix socket that only the gateway's user and root may use, whatever its
// file's mode, or a TCP port for those who show its token. One request a connection. One thread
// waits for all requests; threads of their own serve those that are whole and allowed: compiling
// rules takes seconds, and nobody else waits for that. What changes is recorded, or refused where
// that cannot be.
class AdminDoor {
 public:
  static constexpr std::chrono::seconds kSendLimit{5};  // without a byte of a reply being taken
  static constexpr unsigned kPortThreads = 4;           // requests served at once
  static constexpr std::size_t kMaxJobs = 256;          // that wait for one of them

  // `services` and `desk` must outlive it; there is a recorder.
  static Result<std::unique_ptr<AdminDoor>> open(Services& services, OperatorDesk& desk,
                                                 const std::string& path);
  static Result<std::unique_ptr<AdminDoor>> open_port(Services& services, OperatorDesk& desk,
                                                      const AdminPortConfig& config);
  // Waits for requests that are being served; those that wait are told that it ends.
  ~AdminDoor();
  AdminDoor(const AdminDoor&) = delete;
  AdminDoor& operator=(const AdminDoor&) = delete;

 private:
  struct Job {
    UniqueFd peer;
    ArrivedRequest request;
    std::string who;
  };
  AdminDoor(Services& services, OperatorDesk& desk, std::string path, std::string token_hash,
            UniqueFd listener, UniqueFd stop);
  AdminCallers::Handlers make_handlers();
  // On the waiting thread: refuses it, or leaves it to the others.
  void take(UniqueFd peer, ArrivedRequest request);
  void refuse(const UniqueFd& peer, const Error& denied);
  void serve_jobs();
  void serve_one(const Job& job);
  // Who asks, by the kernel's word or by the token; a refusal where it may not.
  Result<std::string> identify(const UniqueFd& peer, std::string_view token) const;

  Services& services_;
  OperatorDesk& desk_;
  const std::string path_;        // "" = a port
  const std::string token_hash_;  // sha256 (hex), of a port
  const UniqueFd listener_;
  const UniqueFd stop_;  // eventfd
  AdminCallers callers_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;      // guarded by mutex_
  bool is_stopping_ = false;  // guarded by mutex_
  std::thread waiter_;
  std::vector<std::thread> threads_;
};

}  // namespace aispm::gateway
