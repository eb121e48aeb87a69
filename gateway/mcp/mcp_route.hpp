// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/proxy/client.hpp"

namespace aispm::gateway {

// One request to /mcp, of any method: POST carries messages, DELETE ends a session. True when
// another request may follow on the connection.
net::Task<bool> serve_mcp(Client& client, codec::http1::Head head);

}  // namespace aispm::gateway
