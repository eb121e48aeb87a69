// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>

#include "gateway/proxy/services.hpp"
#include "sdk/core/common/result.hpp"

namespace aispm::gateway {

class Worker;

// Follows what the collector says about policies and freezes into the services. Without a report
// section there is nothing to follow.
class Feeds {
 public:
  // Returns once what is on disk is in force. `services` outlives it.
  static Result<std::unique_ptr<Feeds>> open(Services& services);
  virtual ~Feeds() = default;
  // From now on a freeze is in force here when these workers have cut what it fits. After a quarter
  // of a second the collector hears how many have not, and again when they have. Detach (an empty
  // span) before they end.
  virtual void attach(std::span<const std::unique_ptr<Worker>> workers) = 0;
};

}  // namespace aispm::gateway
