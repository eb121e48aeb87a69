// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/proxy/client.hpp"

namespace aispm::gateway {

// Serves the one request of a connection that aispm-run opened for a further host (Client::egress):
// checks it against the operator's rules, resolves the name once, connects to a public address that
// is not this host's, and carries a TLS tunnel for that very name or one plain HTTP request. The
// connection ends with it. Every connection that was made is recorded with its bytes.
net::asio::awaitable<bool> serve_egress(Client& client, const codec::http1::Head& head);

// A request for a proxy on a connection that was opened for the gateway: refused, with the reason.
net::asio::awaitable<bool> refuse_proxy_request(Client& client, const codec::http1::Head& head);

// Makes "http://HOST/path" into "/path" where HOST is the gateway under any name: aispm-run's
// loopback address or the host of a provider. False when it is neither.
bool strip_own_authority(const Services& services, codec::http1::Head& head);

// Names of the providers' hosts, for which the gateway speaks, and its dialects: each once,
// separated by spaces.
std::string own_hosts(const Services& services);
std::string own_dialects(const Services& services);

}  // namespace aispm::gateway
