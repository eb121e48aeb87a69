// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/proxy/client.hpp"

namespace aispm::gateway {

// A host that a run does reach: an event for each policy that is only watched and whose
// sandbox.yaml would not let it.
void record_watched_hosts(Client& client, const HostPort& host);

}  // namespace aispm::gateway
