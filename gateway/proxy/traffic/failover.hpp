// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/proxy/exchange_state.hpp"

namespace aispm::gateway {

// Sends a request to the candidates of its route, one after another, until one has begun to answer:
// its head stands in `reply`. Nothing of an attempt that failed reaches the client. What it gives
// is to be told the client instead.
net::asio::awaitable<Step> forward_along(ExchangeState& x, UpstreamReply& reply);

}  // namespace aispm::gateway
