// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "sdk/core/model/event.hpp"

namespace aispm::sensor {

// What about an asset a human should look at, besides that it exists: a container runtime's socket
// within reach of an agent (SEN-028), secrets in an MCP configuration, much data sent to a risky
// provider without sanction (SEN-011), a GPU held by a program nobody registered (SEN-019), a model
// file that runs code when loaded, safeties switched off. Only what `before` (may be null) did not
// show already. Pure.
std::vector<model::Detection> find_asset_detections(const model::Asset& asset,
                                                    const model::Asset* before);

}  // namespace aispm::sensor
