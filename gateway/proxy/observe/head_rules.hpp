// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/proxy/client.hpp"

namespace aispm::gateway {

// What a request's head says to the gateway itself, whatever it asks for:
//   X-Correlation-ID  kept for the exchange, told to its provider and in the reply
//   X-Tenant-ID       must be the tenant of the key that the request shows
//   x-aispm-session   must be a UUID, else the reply says that it was ignored
//   Origin            a page of a configured origin may read the reply (CORS)
// One that says who asks must not be there twice and differ. Sets client.correlation and
// client.reply_lines. A refusal: the request goes no further.
std::optional<Refusal> take_own_headers(Client& client, const codec::http1::Head& head);

// A browser's question before the request of a page, where any origin is configured.
bool is_preflight(Client& client, const codec::http1::Head& head);
net::Task<bool> serve_preflight(Client& client, codec::http1::Head head);

// The trace that a correlation id stands for where no traceparent was sent: itself where it is a
// UUID or 32 hex digits, else the first half of its SHA-256.
std::string trace_of_correlation(std::string_view correlation);

}  // namespace aispm::gateway
