// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gateway/proxy/observe/operator_desk.hpp"
#include "gateway/proxy/services.hpp"
#include "sdk/core/common/unique_fd.hpp"

namespace aispm::gateway {

// An operator's own door: a Unix socket that only the gateway's user and root may use, whatever its
// file's mode, or a TCP port for those who show its token. One request a connection, on threads of
// its own: compiling rules takes seconds, and nobody else waits for that. What changes is recorded,
// or refused where that cannot be.
class AdminDoor {
 public:
  static constexpr std::chrono::seconds kDeadline{5};  // for a request to arrive
  static constexpr std::size_t kMaxHeadBytes = 16U << 10;
  static constexpr unsigned kPortThreads = 4;  // connections at once; more wait

  // `services` and `desk` must outlive it; there is a recorder.
  static Result<std::unique_ptr<AdminDoor>> open(Services& services, OperatorDesk& desk,
                                                 const std::string& path);
  static Result<std::unique_ptr<AdminDoor>> open_port(Services& services, OperatorDesk& desk,
                                                      const AdminPortConfig& config);
  // Waits for requests that are being served.
  ~AdminDoor();
  AdminDoor(const AdminDoor&) = delete;
  AdminDoor& operator=(const AdminDoor&) = delete;

 private:
  AdminDoor(Services& services, OperatorDesk& desk, std::string path, std::string token_hash,
            UniqueFd listener, UniqueFd stop);
  void serve();
  void serve_one(const UniqueFd& peer);
  // Who asks, by the kernel's word or by the token; a refusal where it may not.
  Result<std::string> identify(const UniqueFd& peer, std::string_view authorization) const;

  Services& services_;
  OperatorDesk& desk_;
  const std::string path_;        // "" = a port
  const std::string token_hash_;  // sha256 (hex), of a port
  const UniqueFd listener_;
  const UniqueFd stop_;  // eventfd
  std::vector<std::thread> threads_;
};

}  // namespace aispm::gateway
