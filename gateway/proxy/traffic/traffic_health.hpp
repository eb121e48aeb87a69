// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/proxy/traffic/traffic.hpp"
#include "sdk/core/model/event.hpp"

namespace aispm::gateway {

// Circuits, and what came of each candidate of each route: `route.NAME.CANDIDATE.calls`, ...; of a
// shadow with `shadow` before the candidate.
void add_traffic(const Traffic& traffic, model::ComponentHealth& health);

}  // namespace aispm::gateway
