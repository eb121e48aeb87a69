// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/proxy/client.hpp"
#include "gateway/proxy/pipeline/screen.hpp"
#include "gateway/proxy/route.hpp"

namespace aispm::gateway {

// POST /aispm/v1/screen and /screen/batch, GET /aispm/v1/categories, for agents with a key. True
// when another request may follow.
net::Task<bool> serve_screening(Client& client, codec::http1::Head head, RouteKind kind);

// What slower judges say of one text after its first look. All arguments must outlive the wait.
net::Task<ScreenOpinions> ask_judges(Worker& worker, const ScanContext& context,
                                     const ScreenText& item, const FirstLook& look);

}  // namespace aispm::gateway
