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
  // From now on a freeze counts as in force when these workers have cut what it fits, or after a
  // second: a worker that is later is logged (freeze.slow_worker), not waited for. Detach (an empty
  // span) before they end.
  virtual void attach(std::span<const std::unique_ptr<Worker>> workers) = 0;
};

}  // namespace aispm::gateway
