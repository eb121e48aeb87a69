// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/collector/inventory/assets.hpp"
#include "gateway/collector/inventory/coverage.hpp"
#include "gateway/collector/inventory/graph.hpp"
#include "gateway/collector/inventory/mcp.hpp"
#include "gateway/collector/inventory/sightings.hpp"

namespace aispm::collector::inventory {

// What one stored event says about the fleet, beyond processes, sessions and sums. Lives on the
// writer's thread, inside its transaction; forget() after a rollback.
class Fleet {
 public:
  explicit Fleet(store::Database& database)
      : database_(database),
        assets_(database),
        servers_(database),
        graph_(database),
        coverage_(database),
        sightings_(database) {}

  Result<> add(const Concern& concern, const aispm::v1::Event& event);
  // Writes what was summed. Counts what was refused as "inventory_refused".
  Result<> flush();
  void forget();
  // Deletes at most `limit` rows of each kind last seen before `oldest`; assets only when they are
  // gone and nobody decided about them.
  Result<> retain(WallTime oldest, std::uint32_t limit);

 private:
  store::Database& database_;
  Assets assets_;
  McpServers servers_;
  Graph graph_;
  Coverage coverage_;
  Sightings sightings_;
};

}  // namespace aispm::collector::inventory
