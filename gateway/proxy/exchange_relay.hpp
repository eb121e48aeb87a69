// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/proxy/exchange_state.hpp"

// The last part of an exchange: the provider's reply on its way to the client.
namespace aispm::gateway {

// A reply that comes whole: scanned, patched, sent. What it gives is to be told the client instead.
net::asio::awaitable<Step> relay_whole(ExchangeState& x, Client& client, UpstreamReply& reply);

// A streamed reply: scanned and rewritten as it passes; tool calls wait for people on the way. How
// it ends, the client hears within the stream. Where guard models judge replies it is held back
// to its end, and what they deny is told the client instead.
net::asio::awaitable<Step> relay_stream(ExchangeState& x, Client& client, UpstreamReply& reply);

}  // namespace aispm::gateway
