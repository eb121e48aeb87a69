// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "aispm/v1/event.pb.h"
#include "gateway/collector/store/database.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/common/time.hpp"

namespace aispm::collector::inventory {

// Whether an agent's sandbox is what it was at its last run on that host in that workspace. Of each
// agent and host the 64 newest workspaces are known. Lives on the writer's thread, inside its
// transaction.
class Boundaries {
 public:
  explicit Boundaries(store::Database& database) : database_(database) {}

  // The difference as a detection ("sandbox.boundary_changed", severity medium), its lines as the
  // evidence. None for the first run, an equal one, one that came late, and one without a boundary.
  Result<std::optional<aispm::v1::Detection>> compare(std::int64_t agent, std::int64_t host,
                                                      const aispm::v1::SandboxStart& start,
                                                      WallTime time);
  // Makes `start` the one that the next is compared with.
  Result<> keep(std::int64_t agent, std::int64_t host, const aispm::v1::SandboxStart& start,
                WallTime time);

 private:
  store::Database& database_;
};

}  // namespace aispm::collector::inventory
