// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "gateway/proxy/services.hpp"
#include "sdk/core/common/unique_fd.hpp"

namespace aispm::gateway {

// The operator's own door: a Unix socket that only the gateway's user and root may use, whatever
// its file's mode. One request a connection, one connection at a time, on a thread of its own:
// compiling rules takes seconds, and nobody else waits for that. What changes is recorded, or
// refused where that cannot be.
class AdminDoor {
 public:
  static constexpr std::chrono::seconds kDeadline{5};  // for a request to arrive
  static constexpr std::size_t kMaxHeadBytes = 16U << 10;

  // `services` must outlive it, and have a recorder.
  static Result<std::unique_ptr<AdminDoor>> open(Services& services, const std::string& path);
  // Waits for the request that is being served.
  ~AdminDoor();
  AdminDoor(const AdminDoor&) = delete;
  AdminDoor& operator=(const AdminDoor&) = delete;

 private:
  AdminDoor(Services& services, std::string path, UniqueFd listener, UniqueFd stop);
  void serve();
  void serve_one(const UniqueFd& peer);

  Services& services_;
  const std::string path_;
  const UniqueFd listener_;
  const UniqueFd stop_;  // eventfd
  std::thread thread_;
};

}  // namespace aispm::gateway
