// SPDX-License-Identifier: Apache-2.0
#include "gateway/net/dial.hpp"

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <charconv>
#include <vector>

#include "gateway/net/address_guard.hpp"
#include "gateway/net/own_addresses.hpp"

namespace aispm::net {
namespace {

using tcp = asio::ip::tcp;

Task<std::vector<tcp::endpoint>> resolve(asio::io_context& context, Origin origin,
                                         DialOptions options) {
  tcp::resolver resolver(context);
  auto [error, found] =
      co_await resolver.async_resolve(origin.host, std::to_string(origin.port), kNoThrow);
  if (error) co_return fail(Errc::kUnavailable, "resolve " + origin.host + ": " + error.message());
  std::vector<tcp::endpoint> allowed;
  std::string refused;
  for (const auto& entry : found) {
    const tcp::endpoint end = entry.endpoint();
    const bool is_allowed = (options.allow_private || is_public_address(end.address())) &&
                            !(options.refuse_own && is_own_address(end.address()));
    if (is_allowed) {
      allowed.push_back(end);
    } else {
      refused = end.address().to_string();
    }
  }
  if (allowed.empty())
    co_return fail(Errc::kDenied,
                   origin.host + " is " + refused + ", " +
                       (options.refuse_own ? "an address of this host or not a public one"
                                           : "not a public address; `allow_private: true` permits "
                                             "it"));
  co_return allowed;
}

Task<std::unique_ptr<Stream>> connect_one(asio::io_context& context, Watchdog& watchdog,
                                          tcp::endpoint end) {
  tcp::socket socket(context);
  auto [error] = co_await socket.async_connect(end, kNoThrow);
  if (error)
    co_return fail(Errc::kUnavailable, "connect " + end.address().to_string() + ":" +
                                           std::to_string(end.port()) + ": " + error.message());
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  co_return std::make_unique<Stream>(watchdog, Stream::Socket(std::move(socket)));
}

Task<std::unique_ptr<Stream>> dial_unbounded(asio::io_context& context, Watchdog& watchdog,
                                             Origin origin, std::shared_ptr<asio::ssl::context> tls,
                                             DialOptions options) {
  AISPM_CO_TRY(const std::vector<tcp::endpoint> ends, co_await resolve(context, origin, options));
  Error last;
  for (const tcp::endpoint& end : ends) {
    auto stream = co_await connect_one(context, watchdog, end);
    if (stream && tls) {
      if (auto started = co_await (*stream)->start_tls(*tls, origin.host); !started)
        co_return fail(started.error());
    }
    if (stream) co_return std::move(*stream);
    last = stream.error();
  }
  co_return fail(last);
}

}  // namespace

std::string Origin::authority() const {
  const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return port == (tls ? 443 : 80) ? name : name + ":" + std::to_string(port);
}

Result<Origin> parse_origin(std::string_view text) {
  const auto bad = [&](const char* why) {
    return fail(Errc::kInvalid, "origin '" + std::string(text) + "': " + why +
                                    "; allowed: https://host[:port] or http://host[:port]");
  };
  Origin origin;
  std::string_view rest = text;
  if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
    origin.tls = false;
    origin.port = 80;
  } else {
    return bad("unknown scheme");
  }
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.empty() || rest.find_first_of("/?#@ \t\r\n") != std::string_view::npos)
    return bad("more than host and port");
  std::string_view port;
  if (rest.front() == '[') {
    const auto close = rest.find(']');
    if (close == std::string_view::npos) return bad("no closing bracket");
    origin.host = rest.substr(1, close - 1);
    port = rest.substr(close + 1);
  } else {
    const auto colon = rest.find(':');
    origin.host = rest.substr(0, colon);
    port = colon == std::string_view::npos ? std::string_view{} : rest.substr(colon);
  }
  if (origin.host.empty()) return bad("no host");
  if (port.empty()) return origin;
  const auto [end, error] =
      std::from_chars(port.data() + 1, port.data() + port.size(), origin.port);
  const bool valid = port.front() == ':' && error == std::errc{} &&
                     end == port.data() + port.size() && origin.port != 0;
  if (!valid) return bad("bad port");
  return origin;
}

Result<std::shared_ptr<asio::ssl::context>> make_tls_context(const std::string& ca_file) {
  auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_client);
  error_code error;
  if (ca_file.empty()) {
    context->set_default_verify_paths(error);
  } else {
    context->load_verify_file(ca_file, error);
  }
  if (error)
    return fail(Errc::kInvalid,
                (ca_file.empty() ? "the system's CA store" : ca_file) + ": " + error.message());
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  static constexpr std::array<unsigned char, 9> kHttp1 = {8,   'h', 't', 't', 'p',
                                                          '/', '1', '.', '1'};
  SSL_CTX_set_alpn_protos(context->native_handle(), kHttp1.data(), kHttp1.size());
  return context;
}

Task<std::unique_ptr<Stream>> dial(asio::io_context& context, Watchdog& watchdog, Origin origin,
                                   std::shared_ptr<asio::ssl::context> tls, DialOptions options) {
  const std::string authority = origin.authority();
  auto stream = co_await with_deadline(
      dial_unbounded(context, watchdog, std::move(origin), std::move(tls), options),
      options.deadline);
  if (!stream && stream.error().code == Errc::kDeadlineExceeded)
    co_return fail(Errc::kDeadlineExceeded, "connect " + authority + ": timed out");
  co_return stream;
}

}  // namespace aispm::net
