// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/proxy/client.hpp"
#include "gateway/proxy/route.hpp"

namespace aispm::gateway {

// POST /api/v1/scan/input and /output, GET /api/v1/scans and /api/v1/threats, for agents with a
// key. True when another request may follow.
net::Task<bool> serve_scan(Client& client, codec::http1::Head head, const Route& route);

}  // namespace aispm::gateway
