// SPDX-License-Identifier: Apache-2.0
#include "gateway/net/http_session.hpp"

#include <boost/asio/write.hpp>
#include <boost/beast/http/status.hpp>
#include <chrono>
#include <cstdio>

namespace aispm::net {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using codec::http1::BodyReader;
using codec::http1::Head;
using tcp = asio::ip::tcp;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

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

class SessionReply : public HttpReply {
 public:
  explicit SessionReply(std::shared_ptr<HttpSession> session) : session_(std::move(session)) {}

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

  std::shared_ptr<HttpSession> session_;
  std::atomic<State> state_{State::kNone};
};

}  // namespace

HttpSession::HttpSession(std::shared_ptr<HttpServerCore> core, tcp::socket socket)
    : core_(std::move(core)), stream_(std::move(socket)) {
  error_code ignored;
  const auto end = stream_.socket().remote_endpoint(ignored);
  const std::string address = end.address().to_string();
  peer_ =
      (end.address().is_v6() ? "[" + address + "]" : address) + ":" + std::to_string(end.port());
  stream_.socket().set_option(tcp::no_delay(true), ignored);
}

void HttpSession::close() {
  if (!open_.exchange(false)) return;
  error_code ignored;
  stream_.socket().shutdown(tcp::socket::shutdown_both, ignored);
  stream_.close();
  core_->forget(shared_from_this());
}

void HttpSession::send(HttpResponse response, bool may_keep_alive) {
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

void HttpSession::start_stream(HttpResponse response) {
  if (!open_ || answered_) return;
  answered_ = true;
  keep_alive_ = false;  // a stream's end is the connection's end: no state to carry over
  std::string head = make_head(response, false, "transfer-encoding: chunked\r\n");
  if (!is_head_ && !response.body.empty()) head += make_chunk(response.body);
  ended_ = is_head_;
  enqueue(std::move(head));
  if (!ended_) watch_for_disconnect();
}

void HttpSession::write_chunk(std::string bytes) {
  const std::size_t size = bytes.size();
  if (open_ && answered_ && !ended_ && size > 0) {
    enqueue(make_chunk(bytes), size);
  } else {
    unsent_ -= size;
  }
}

void HttpSession::arm() {
  stream_.expires_after(std::chrono::seconds(core_->options.idle_seconds));
}

void HttpSession::finish_stream() {
  if (!open_ || !answered_ || ended_) return;
  ended_ = true;
  enqueue("0\r\n\r\n");
}

void HttpSession::read_request() {
  request_ = {};
  answered_ = ended_ = is_head_ = false;
  keep_alive_ = may_keep_alive_ = false;
  arm();
  read_head();
}

void HttpSession::read_more(void (HttpSession::*next)()) {
  stream_.async_read_some(asio::buffer(scrap_),
                          [self = shared_from_this(), next](error_code error, std::size_t size) {
                            if (error) return self->close();
                            self->input_.append(self->scrap_.data(), size);
                            ((*self).*next)();
                          });
}

void HttpSession::read_head() {
  const std::size_t limit = core_->options.max_header_bytes;
  const auto head = parser_.parse(std::string_view(input_).substr(0, limit));
  if (!head) return refuse(head.error().code == Errc::kTooLarge ? 431 : 400, head.error().message);
  if (*head) return on_head(**head);
  if (input_.size() >= limit)
    return refuse(431, "the header has more than " + std::to_string(limit) + " bytes");
  read_more(&HttpSession::read_head);
}

void HttpSession::on_head(const Head& head) {
  request_.method = head.method;
  request_.target = head.target;
  for (const auto& [name, value] : head.headers)
    request_.headers.emplace_back(lower(name), std::string(value));
  is_head_ = head.method == "HEAD";
  may_keep_alive_ = head.keep_alive;
  body_ = BodyReader(head);
  body_limit_ = core_->options.max_body_bytes;
  if (core_->options.body_limit) body_limit_ = core_->options.body_limit(head.method, head.target);
  const bool is_too_large = head.content_length > body_limit_;
  const bool waits = head.expects_continue && input_.size() == head.size_bytes;
  input_.erase(0, head.size_bytes);
  if (is_too_large) return refuse_body();
  if (!waits || body_.done()) return read_body();
  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  asio::async_write(stream_, asio::buffer(kContinue),
                    [self = shared_from_this()](error_code failed, std::size_t) {
                      failed ? self->close() : self->read_body();
                    });
}

void HttpSession::read_body() {
  std::string_view left = input_;
  while (!body_.done() && !left.empty()) {
    const auto slice = body_.next(left);
    if (!slice) return refuse(400, slice.error().message);
    if (request_.body.size() + slice->data.size() > body_limit_) return refuse_body();
    request_.body.append(slice->data);
    left.remove_prefix(slice->consumed);
  }
  input_.erase(0, input_.size() - left.size());
  body_.done() ? on_request() : read_more(&HttpSession::read_body);
}

void HttpSession::refuse_body() {
  refuse(413, "the body has more than " + std::to_string(body_limit_) + " bytes");
}

void HttpSession::refuse(int status, const std::string& why) {
  send({.status = status, .headers = {{"content-type", "text/plain"}}, .body = why + "\n"}, false);
}

void HttpSession::enqueue(std::string bytes, std::size_t reserved) {
  queue_.push_back({std::move(bytes), reserved});
  if (queue_.size() == 1) write_front();
}

void HttpSession::write_front() {
  arm();
  asio::async_write(
      stream_, asio::buffer(queue_.front().bytes),
      [self = shared_from_this()](error_code error, std::size_t) { self->on_written(error); });
}

void HttpSession::on_written(error_code error) {
  unsent_ -= queue_.front().reserved;
  queue_.pop_front();
  if (error) return close();
  if (!queue_.empty()) return write_front();
  if (!ended_) return stream_.expires_never();  // an open event stream may be silent for long
  if (keep_alive_) return read_request();
  close_after_peer();
}

void HttpSession::close_after_peer() {
  error_code ignored;
  stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
  if (watching_) return close();
  stream_.expires_after(std::chrono::seconds(2));
  drain();
}

void HttpSession::drain() {
  stream_.async_read_some(asio::buffer(scrap_),
                          [self = shared_from_this()](error_code error, std::size_t) {
                            error ? self->close() : self->drain();
                          });
}

void HttpSession::watch_for_disconnect() {
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

void HttpSession::on_request() {
  stream_.expires_never();  // the handler answers or drops its reply; both end this wait
  keep_alive_ = may_keep_alive_;
  request_.peer = peer_;
  core_->handler(request_, std::make_shared<SessionReply>(shared_from_this()));
}

}  // namespace aispm::net
