// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "aispm/v1/registry.pb.h"
#include "sdk/core/common/time.hpp"

// What gateways read of the registry, and what follows of it. Pure.
namespace aispm::collector::api {

namespace pb = aispm::v1;

// registry.yaml (sdk/core/policy/registry_part.hpp): an entry a line, in the order given.
std::string registry_file(const std::vector<pb::RegisteredTool>& tools,
                          const std::vector<pb::RegisteredAgent>& agents);

// Fills in the trust score with its parts, as a gateway of this hour would take it
// (policy::evaluate_trust). `hour`: 0..23.
void score_trust(pb::RegisteredAgent* agent, unsigned denials_in_row, int hour, WallTime now);

}  // namespace aispm::collector::api
