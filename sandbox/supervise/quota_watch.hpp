// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

#include "sdk/core/common/result.hpp"
#include "sdk/core/common/unique_fd.hpp"

namespace aispm::sandbox {

// Hears from the kernel when a project's quota refused something (CONFIG_QUOTA_NETLINK_INTERFACE;
// in the host's network namespace).
class QuotaWatch {
 public:
  // An error: the kernel tells nobody, or not here.
  static Result<std::unique_ptr<QuotaWatch>> open(std::uint32_t project);
  int fd() const { return socket_.get(); }
  // Whether something was refused since the last call. Does not wait.
  bool read();

 private:
  QuotaWatch(UniqueFd socket, std::uint16_t family, std::uint32_t project)
      : socket_(std::move(socket)), family_(family), project_(project) {}

  UniqueFd socket_;
  std::uint16_t family_;
  std::uint32_t project_;
};

}  // namespace aispm::sandbox
