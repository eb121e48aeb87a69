// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/collector/api/handlers.hpp"
#include "gateway/collector/redteam/runs.hpp"
#include "sdk/core/common/time.hpp"

namespace aispm::collector::api {

// All of service RedTeam. `runs` outlives the handlers.
void add_redteam(Handlers& handlers, const WallClock& clock, redteam::Runs& runs);

}  // namespace aispm::collector::api
