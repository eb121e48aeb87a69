// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "gateway/net/http_server.hpp"
#include "sdk/core/codec/http1.hpp"

// The connections of an HttpServer. Only for its own files: this header shows Asio and Beast.
namespace aispm::net {

class HttpSession;

// What all sessions share. Outlives the server while a handler still holds a reply.
struct HttpServerCore {
  HttpServerOptions options;
  HttpServer::Handler handler;
  boost::asio::io_context context;

  std::mutex mutex;
  bool stopped = false;  // guarded by mutex: nothing is posted from outside any more
  std::set<std::shared_ptr<HttpSession>> sessions;  // guarded by mutex

  void forget(const std::shared_ptr<HttpSession>& session) {
    const std::lock_guard lock(mutex);
    sessions.erase(session);
  }
};

// One connection. All members but `unsent_` and `open_` belong to its strand.
class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  HttpSession(std::shared_ptr<HttpServerCore> core, boost::asio::ip::tcp::socket socket);

  // Runs `work` on the session's strand, unless the server has ended. Any thread.
  template <typename Work>
  void post(Work work) {
    const std::lock_guard lock(core_->mutex);
    if (!core_->stopped) boost::asio::post(stream_.get_executor(), std::move(work));
  }

  auto executor() { return stream_.get_executor(); }

  void start() { read_request(); }

  void close();
  void send(HttpResponse response, bool may_keep_alive = true);
  void start_stream(HttpResponse response);

  // False when too much waits. Any thread; the chunk itself is queued on the strand.
  bool reserve(std::size_t bytes) {
    if (!open_) return false;
    return unsent_.fetch_add(bytes) + bytes <= core_->options.max_stream_buffer_bytes;
  }

  std::size_t unsent_bytes() const { return unsent_; }

  void write_chunk(std::string bytes);
  void finish_stream();

 private:
  struct Piece {
    std::string bytes;
    std::size_t reserved = 0;
  };
  void arm();
  void read_request();
  // Reads once and goes on with `next`; a lost connection is just closed.
  void read_more(void (HttpSession::*next)());
  void read_head();
  void on_head(const codec::http1::Head& head);
  void read_body();

  // A malformed or oversized request is told why.
  void refuse(int status, const std::string& why);
  void refuse_body();
  void on_request();
  void enqueue(std::string bytes, std::size_t reserved = 0);
  void write_front();
  void on_written(boost::system::error_code error);

  // Half-close and drain, so that a reply to a request not read to its end is not lost to a reset.
  void close_after_peer();
  void drain();
  void watch_for_disconnect();

  std::shared_ptr<HttpServerCore> core_;
  boost::beast::tcp_stream stream_;
  std::string peer_;
  std::string input_;  // read and not used yet
  codec::http1::HeadParser parser_{codec::http1::HeadParser::Role::kRequest};
  codec::http1::BodyReader body_;
  HttpRequest request_;
  std::size_t body_limit_ = 0;
  std::deque<Piece> queue_;
  std::array<char, 4096> scrap_;
  bool answered_ = false;        // a head was queued for the current request
  bool ended_ = false;           // its last byte was queued
  bool may_keep_alive_ = false;  // the request allows it
  bool keep_alive_ = false;
  bool is_head_ = false;
  bool watching_ = false;
  std::atomic<std::size_t> unsent_{0};
  std::atomic<bool> open_{true};
};

}  // namespace aispm::net
