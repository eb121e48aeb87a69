// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/proxy/client.hpp"
#include "gateway/proxy/route.hpp"

namespace aispm::gateway {

// Carries one request to a model and its reply back: authenticate, parse, scan, decide, forward,
// scan the reply, record. True when the connection may carry another request. `head` is read before
// its bytes are used up.
net::Task<bool> run_exchange(Client& client, const codec::http1::Head& head, Route route);

// Lists models: authenticated and forwarded, the reply's bytes scanned as one text.
net::asio::awaitable<bool> list_models(Client& client, const codec::http1::Head& head,
                                       const Route& route);

// The agent behind a request: the connection's own, or the owner of the key it shows. Nothing when
// there is none.
std::optional<Caller> authenticate(Client& client, const codec::http1::Head& head);

// What to tell a client whose request could not be read.
Refusal refusal_for(const Error& error);

}  // namespace aispm::gateway
