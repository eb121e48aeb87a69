// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/proxy/client.hpp"

namespace aispm::gateway {

// POST /aispm/v1/decide: an agent asks what policy says about one action before it acts. The answer
// counts and is recorded. True when the connection may carry another request.
net::Task<bool> serve_decide(Client& client, codec::http1::Head head);

}  // namespace aispm::gateway
