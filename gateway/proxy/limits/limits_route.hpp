// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/proxy/client.hpp"

namespace aispm::gateway {

// GET /aispm/v1/limits: what of its rates and budgets the caller has left. Counts nothing.
net::Task<bool> serve_limits(Client& client, codec::http1::Head head);

}  // namespace aispm::gateway
