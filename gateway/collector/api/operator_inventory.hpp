// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "gateway/collector/api/handlers.hpp"
#include "gateway/collector/ingest/links.hpp"
#include "sdk/core/common/time.hpp"

namespace aispm::collector::api {

// Adds the methods about the fleet: assets, MCP servers, topology, coverage, names, baselines and
// their summary. `stale_days`: more whole days than that without a sign make an asset stale.
void add_inventory(Handlers& handlers, const WallClock& clock, std::uint32_t stale_days);

}  // namespace aispm::collector::api
