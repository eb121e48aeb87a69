// SPDX-License-Identifier: Apache-2.0
#include "gateway/net/http_server.hpp"

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <deque>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "sdk/core/common/log.hpp"

namespace aispm::net {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;

class Session;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

// What all sessions share. Outlives the server while a handler still holds a reply.
struct Core {
  HttpServerOptions options;
  HttpServer::Handler handler;
  asio::io_context context;

  std::mutex mutex;
  bool stopped = false;  // guarded by mutex: nothing is posted from outside any more
  std::set<std::shared_ptr<Session>> sessions;  // guarded by mutex

  void forget(const std::shared_ptr<Session>& session) {
    const std::lock_guard lock(mutex);
    sessions.erase(session);
  }
};

// The status line and fields of a reply, or of a 500 when a field could split the reply.
std::string make_head(const HttpResponse& response, bool keep_alive, std::string_view framing) {
  const auto reason = http::obsolete_reason(static_cast<http::status>(response.status));
  std::string head =
      "HTTP/1.1 " + std::to_string(response.status) + " " + std::string(reason) + "\r\n";
  for (const auto& [name, value] : response.headers) {
    const bool splits = name.find_first_of("\r\n: ") != std::string::npos ||
                        value.find_first_of("\r\n") != std::string::npos;
    if (splits)
      return make_head({.status = 500, .headers = {}, .body = {}}, false, "content-length: 0\r\n");
    head += name + ": " + value + "\r\n";
  }
  head += framing;
  head += keep_alive ? "connection: keep-alive\r\n\r\n" : "connection: close\r\n\r\n";
  return head;
}

std::string make_chunk(std::string_view bytes) {
  char size[24];
  const int digits = std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
  std::string chunk(size, static_cast<std::size_t>(digits));
  chunk.append(bytes).append("\r\n");
  return chunk;
}

// One connection. All members but `unsent_` and `open_` belong to its strand.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(std::shared_ptr<Core> core, tcp::socket socket)
      : core_(std::move(core)), stream_(std::move(socket)) {
    error_code ignored;
    const auto end = stream_.socket().remote_endpoint(ignored);
    const std::string address = end.address().to_string();
    peer_ =
        (end.address().is_v6() ? "[" + address + "]" : address) + ":" + std::to_string(end.port());
    stream_.socket().set_option(tcp::no_delay(true), ignored);
  }

  // Runs `work` on the session's strand, unless the server has ended. Any thread.
  template <typename Work>
  void post(Work work) {
    const std::lock_guard lock(core_->mutex);
    if (!core_->stopped) asio::post(stream_.get_executor(), std::move(work));
  }

  auto executor() { return stream_.get_executor(); }

  void start() { read_request(); }

  void close() {
    if (!open_.exchange(false)) return;
    error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_both, ignored);
    stream_.close();
    core_->forget(shared_from_this());
  }

  void send(HttpResponse response, bool may_keep_alive = true) {
    if (!open_ || answered_) return;
    answered_ = true;
    keep_alive_ = keep_alive_ && may_keep_alive;
    const bool bodyless = response.status == 204 || response.status == 304 || response.status < 200;
    const std::string framing =
        bodyless ? "" : "content-length: " + std::to_string(response.body.size()) + "\r\n";
    std::string head = make_head(response, keep_alive_, framing);
    if (!is_head_ && !bodyless) head += response.body;
    ended_ = true;
    enqueue(std::move(head));
  }

  void start_stream(HttpResponse response) {
    if (!open_ || answered_) return;
    answered_ = true;
    keep_alive_ = false;  // a stream's end is the connection's end: no state to carry over
    std::string head = make_head(response, false, "transfer-encoding: chunked\r\n");
    if (!is_head_ && !response.body.empty()) head += make_chunk(response.body);
    ended_ = is_head_;
    enqueue(std::move(head));
    if (!ended_) watch_for_disconnect();
  }

  // False when too much waits. Any thread; the chunk itself is queued on the strand.
  bool reserve(std::size_t bytes) {
    if (!open_) return false;
    return unsent_.fetch_add(bytes) + bytes <= core_->options.max_stream_buffer_bytes;
  }

  std::size_t unsent_bytes() const { return unsent_; }

  void write_chunk(std::string bytes) {
    const std::size_t size = bytes.size();
    if (open_ && answered_ && !ended_ && size > 0) {
      enqueue(make_chunk(bytes), size);
    } else {
      unsent_ -= size;
    }
  }

  void finish_stream() {
    if (!open_ || !answered_ || ended_) return;
    ended_ = true;
    enqueue("0\r\n\r\n");
  }

 private:
  struct Piece {
    std::string bytes;
    std::size_t reserved = 0;
  };

  void arm() { stream_.expires_after(std::chrono::seconds(core_->options.idle_seconds)); }

  void read_request() {
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(core_->options.max_header_bytes));
    parser_->body_limit(core_->options.max_body_bytes);
    answered_ = ended_ = is_head_ = false;
    keep_alive_ = false;
    arm();
    http::async_read_header(
        stream_, buffer_, *parser_,
        [self = shared_from_this()](error_code error, std::size_t) { self->on_header(error); });
  }

  void on_header(error_code error) {
    if (error) return refuse(error);
    const bool waits = beast::iequals(parser_->get()[http::field::expect], "100-continue");
    if (!waits) return read_body();
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    asio::async_write(stream_, asio::buffer(kContinue),
                      [self = shared_from_this()](error_code failed, std::size_t) {
                        failed ? self->close() : self->read_body();
                      });
  }

  void read_body() {
    http::async_read(stream_, buffer_, *parser_,
                     [self = shared_from_this()](error_code error, std::size_t) {
                       error ? self->refuse(error) : self->on_request();
                     });
  }

  // A malformed or oversized request is told why; a lost connection is just closed.
  void refuse(error_code error) {
    int status = 400;
    if (error == http::error::header_limit) status = 431;
    if (error == http::error::body_limit) status = 413;
    const bool lost = error == http::error::end_of_stream ||
                      error == http::error::partial_message ||
                      error.category() != http::make_error_code(http::error::bad_value).category();
    if (lost) return close();
    send({.status = status,
          .headers = {{"content-type", "text/plain"}},
          .body = error.message() + "\n"},
         false);
  }

  void on_request();

  void enqueue(std::string bytes, std::size_t reserved = 0) {
    queue_.push_back({std::move(bytes), reserved});
    if (queue_.size() == 1) write_front();
  }

  void write_front() {
    arm();
    asio::async_write(
        stream_, asio::buffer(queue_.front().bytes),
        [self = shared_from_this()](error_code error, std::size_t) { self->on_written(error); });
  }

  void on_written(error_code error) {
    unsent_ -= queue_.front().reserved;
    queue_.pop_front();
    if (error) return close();
    if (!queue_.empty()) return write_front();
    if (!ended_) return stream_.expires_never();  // an open event stream may be silent for long
    if (keep_alive_) return read_request();
    close_after_peer();
  }

  // Half-close and drain, so that a reply to a request not read to its end is not lost to a reset.
  void close_after_peer() {
    error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    if (watching_) return close();
    stream_.expires_after(std::chrono::seconds(2));
    drain();
  }

  void drain() {
    stream_.async_read_some(asio::buffer(scrap_),
                            [self = shared_from_this()](error_code error, std::size_t) {
                              error ? self->close() : self->drain();
                            });
  }

  void watch_for_disconnect() {
    watching_ = true;
    stream_.socket().async_wait(tcp::socket::wait_read,
                                [self = shared_from_this()](error_code error) {
                                  if (error || !self->open_) return;
                                  char byte;
                                  error_code peeked;
                                  const auto size = self->stream_.socket().receive(
                                      asio::buffer(&byte, 1), tcp::socket::message_peek, peeked);
                                  if (peeked || size == 0) self->close();
                                });
  }

  std::shared_ptr<Core> core_;
  beast::tcp_stream stream_;
  std::string peer_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  std::deque<Piece> queue_;
  std::array<char, 4096> scrap_;
  bool answered_ = false;  // a head was queued for the current request
  bool ended_ = false;     // its last byte was queued
  bool keep_alive_ = false;
  bool is_head_ = false;
  bool watching_ = false;
  std::atomic<std::size_t> unsent_{0};
  std::atomic<bool> open_{true};
};

class SessionReply : public HttpReply {
 public:
  explicit SessionReply(std::shared_ptr<Session> session) : session_(std::move(session)) {}

  ~SessionReply() override {
    if (state_ == State::kNone) send({.status = 500, .headers = {}, .body = "no answer\n"});
    if (state_ == State::kStreaming) finish();
  }

  void send(HttpResponse response) override {
    if (!enter(State::kNone, State::kDone)) return;
    session_->post([session = session_, response = std::move(response)]() mutable {
      session->send(std::move(response));
    });
  }

  void start_stream(HttpResponse response) override {
    if (!enter(State::kNone, State::kStreaming)) return;
    session_->post([session = session_, response = std::move(response)]() mutable {
      session->start_stream(std::move(response));
    });
  }

  bool write(std::string chunk) override {
    if (state_ != State::kStreaming) return false;
    if (!session_->reserve(chunk.size())) {
      session_->post([session = session_] { session->close(); });
      return false;
    }
    session_->post([session = session_, chunk = std::move(chunk)]() mutable {
      session->write_chunk(std::move(chunk));
    });
    return true;
  }

  void finish() override {
    if (!enter(State::kStreaming, State::kDone)) return;
    session_->post([session = session_] { session->finish_stream(); });
  }

  std::size_t unsent_bytes() const override { return session_->unsent_bytes(); }

 private:
  enum class State { kNone, kStreaming, kDone };
  bool enter(State from, State to) { return state_.compare_exchange_strong(from, to); }

  std::shared_ptr<Session> session_;
  std::atomic<State> state_{State::kNone};
};

void Session::on_request() {
  stream_.expires_never();  // the handler answers or drops its reply; both end this wait
  const auto& message = parser_->get();
  keep_alive_ = message.keep_alive();
  is_head_ = message.method() == http::verb::head;
  HttpRequest request;
  request.method = std::string(message.method_string());
  request.target = std::string(message.target());
  for (const auto& field : message)
    request.headers.emplace_back(lower(field.name_string()), std::string(field.value()));
  request.body = std::move(parser_->get().body());
  request.peer = peer_;
  core_->handler(request, std::make_shared<SessionReply>(shared_from_this()));
}

class Server : public HttpServer {
 public:
  Server(std::shared_ptr<Core> core, tcp::acceptor acceptor)
      : core_(std::move(core)), acceptor_(std::move(acceptor)), retry_(acceptor_.get_executor()) {
    port_ = acceptor_.local_endpoint().port();
    accept();
    for (unsigned i = 0; i < std::max(1U, core_->options.threads); ++i)
      threads_.emplace_back([core = core_] { core->context.run(); });
  }

  ~Server() override {
    asio::post(acceptor_.get_executor(), [this] {
      error_code ignored;
      acceptor_.close(ignored);
      retry_.cancel();
    });
    {
      const std::lock_guard lock(core_->mutex);
      core_->stopped = true;
      for (const auto& session : core_->sessions)
        asio::post(session->executor(), [session] { session->close(); });
    }
    for (auto& thread : threads_)
      thread.join();  // run() returns when the last operation was cancelled
  }

  std::uint16_t port() const override { return port_; }

 private:
  void accept() {
    acceptor_.async_accept(asio::make_strand(core_->context),
                           [this](error_code error, tcp::socket socket) {
                             if (error == asio::error::operation_aborted || !acceptor_.is_open())
                               return;
                             if (error) return accept_later(error);
                             admit(std::move(socket));
                             accept();
                           });
  }

  void admit(tcp::socket socket) {
    const std::lock_guard lock(core_->mutex);
    if (core_->stopped || core_->sessions.size() >= core_->options.max_connections)
      return;  // closes the socket
    auto session = std::make_shared<Session>(core_, std::move(socket));
    core_->sessions.insert(session);
    asio::post(session->executor(), [session] { session->start(); });
  }

  // Out of descriptors or memory: give running requests time to end.
  void accept_later(error_code error) {
    log::warn("http.accept_failed", {{"reason", error.message()}});
    retry_.expires_after(std::chrono::milliseconds(100));
    retry_.async_wait([this](error_code cancelled) {
      if (!cancelled && acceptor_.is_open()) accept();
    });
  }

  std::shared_ptr<Core> core_;
  tcp::acceptor acceptor_;
  asio::steady_timer retry_;
  std::uint16_t port_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace

std::string_view HttpRequest::header(std::string_view name) const {
  for (const auto& [key, value] : headers)
    if (key == name) return value;
  return {};
}

Result<std::unique_ptr<HttpServer>> HttpServer::start(const HttpServerOptions& options,
                                                      Handler handler) {
  const std::string where = options.address + ":" + std::to_string(options.port);
  error_code error;
  const auto address = asio::ip::make_address(options.address, error);
  if (error)
    return fail(Errc::kInvalid, "listen address '" + options.address + "' is not an IP address");
  auto core = std::make_shared<Core>();
  core->options = options;
  core->handler = std::move(handler);
  tcp::acceptor acceptor(asio::make_strand(core->context));
  const tcp::endpoint endpoint(address, options.port);
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error)
    return fail(Errc::kUnavailable, "cannot listen on " + where + ": " + error.message(),
                error.value());
  return std::make_unique<Server>(std::move(core), std::move(acceptor));
}

}  // namespace aispm::net
