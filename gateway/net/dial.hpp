// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "gateway/net/stream.hpp"

namespace aispm::net {

// scheme, host and port of an upstream: the only place its key may go to.
struct Origin {
  bool tls = true;
  std::string host;  // name or address, without brackets
  std::uint16_t port = 443;

  // "api.openai.com", "localhost:9443": the Host header, port only when it is not the scheme's own.
  std::string authority() const;
};

// "https://host[:port]" or "http://host[:port]"; nothing after it but one "/". kInvalid says what
// is wrong.
Result<Origin> parse_origin(std::string_view text);

// A TLS client context that verifies against `ca_file`, or the system's store when empty. TLS 1.2
// or newer, ALPN http/1.1.
Result<std::shared_ptr<asio::ssl::context>> make_tls_context(const std::string& ca_file);

struct DialOptions {
  bool allow_private = false;  // else only public addresses are connected to, checked after DNS
  bool refuse_own = false;     // not to an address of this host either
  std::chrono::milliseconds deadline{10'000};  // for all of it: name, connection, TLS
};

// Connects. Tries each address of the name in turn. Errors: kUnavailable, kDeadlineExceeded, and
// kDenied when the name has only addresses that may not be reached. `tls` is null for plain
// origins.
Task<std::unique_ptr<Stream>> dial(asio::io_context& context, Watchdog& watchdog, Origin origin,
                                   std::shared_ptr<asio::ssl::context> tls, DialOptions options);

}  // namespace aispm::net
