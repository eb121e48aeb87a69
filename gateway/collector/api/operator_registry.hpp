// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/collector/api/handlers.hpp"
#include "gateway/collector/control.hpp"
#include "sdk/core/common/time.hpp"

namespace aispm::collector::api {

// The registry of agents and tools: list, get, register, review. A change becomes a version of the
// policy `aispm.registry` in one transaction with its record. References outlive the handlers.
void add_registry(Handlers& handlers, const WallClock& clock, Control& control);

}  // namespace aispm::collector::api
