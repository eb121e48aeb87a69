// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/proxy/client.hpp"
#include "gateway/proxy/route.hpp"

namespace aispm::gateway {

// GET /live, /ready, /openapi.json and /docs at the door of agents: for everybody, without reasons
// or names of hosts. True when another request may follow.
net::Task<bool> serve_observation(Client& client, codec::http1::Head head, RouteKind kind);

}  // namespace aispm::gateway
