// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/collector/api/handlers.hpp"
#include "sdk/core/common/time.hpp"

namespace aispm::collector::api {

// ValidatePolicy, SimulatePolicy, ExplainDecision, ProposePolicy: they read recorded events and
// change nothing.
void add_simulation(Handlers& handlers, const WallClock& clock);

}  // namespace aispm::collector::api
