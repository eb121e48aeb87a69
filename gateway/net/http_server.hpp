// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sdk/core/common/result.hpp"

// A small HTTP/1.1 server behind a plain interface, for REST, the dashboard and metrics (not for
// the gateway's data path). This header shows neither Asio nor Beast, so that its users compile
// fast.
namespace aispm::net {

struct HttpRequest {
  std::string method;                                        // "GET"
  std::string target;                                        // as sent, with query
  std::vector<std::pair<std::string, std::string>> headers;  // names lower-case, in order
  std::string body;
  std::string peer;  // "127.0.0.1:51234"

  // First header of that lower-case name, or empty.
  std::string_view header(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

// One reply in the making. Thread-safe: any thread may call, the server's thread writes. Exactly
// one of `send` or `start_stream` is called; dropping a Reply without either answers 500.
class HttpReply {
 public:
  virtual ~HttpReply() = default;
  virtual void send(HttpResponse response) = 0;
  // Chunked reply, e.g. server-sent events. `headers` of the response are sent at once, its body
  // first.
  virtual void start_stream(HttpResponse response) = 0;
  // False when the client is gone or more than `HttpServerOptions::max_stream_buffer_bytes` wait
  // unsent (slow client): the stream is then closed and the caller stops.
  virtual bool write(std::string chunk) = 0;
  virtual void finish() = 0;
  // Bytes taken by `write` and not yet sent: lets a producer hold back before the limit closes the
  // stream.
  virtual std::size_t unsent_bytes() const { return 0; }
};

struct HttpServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;  // 0: any free one, see HttpServer::port()
  std::size_t max_header_bytes = 16U << 10;
  std::size_t max_body_bytes = 1U << 20;
  // A lower limit for some requests, by method and target; empty: none. Any thread.
  std::function<std::size_t(std::string_view, std::string_view)> body_limit = {};
  std::size_t max_stream_buffer_bytes = 1U << 20;
  std::size_t max_connections = 1024;
  unsigned idle_seconds = 60;
  unsigned threads = 1;
};

// Runs on threads of its own until destroyed; the destructor closes all connections and joins.
class HttpServer {
 public:
  // Called on a server thread; must not block. The request is only valid during the call.
  using Handler = std::function<void(const HttpRequest&, std::shared_ptr<HttpReply>)>;

  // kUnavailable with the address when the port is taken.
  static Result<std::unique_ptr<HttpServer>> start(const HttpServerOptions& options,
                                                   Handler handler);
  virtual ~HttpServer() = default;
  virtual std::uint16_t port() const = 0;
};

}  // namespace aispm::net
