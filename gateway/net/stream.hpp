// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <memory>
#include <optional>
#include <span>

#include "gateway/net/io.hpp"
#include "gateway/net/watchdog.hpp"
#include "sdk/core/common/result.hpp"

namespace aispm::net {

// One connected byte stream: TCP, Unix, or TLS over TCP. Lives on one io_context thread.
// Every wait is bounded by the deadline set last with expire_after(); once it ran out, or after
// abort(), all operations fail with kDeadlineExceeded.
class Stream final : public Watchdog::Entry {
 public:
  using Socket = asio::generic::stream_protocol::socket;
  using Tls = asio::ssl::stream<Socket&>;

  Stream(Watchdog& watchdog, Socket socket);

  // Reads what is there, at least a byte; 0 is the peer's orderly end.
  Task<std::size_t> read_some(std::span<char> space);
  // Whoever waits long may do so without memory to read into: wait_readable(), then read_now().
  // Not over TLS, where only reading tells whether there is something to read.
  bool can_wait_empty() const { return tls_ == nullptr; }
  // Until there is something to read, or nothing more will come.
  Task<> wait_readable();
  // Reads without a wait: nothing when nothing is there; 0 is the peer's orderly end.
  Result<std::optional<std::size_t>> read_now(std::span<char> space);
  // Writes what goes without waiting and drops it from `buffers`. False: write() the rest.
  Result<bool> write_now(std::span<asio::const_buffer>& buffers);
  // Writes all of it. `buffers` must outlive the wait and is consumed.
  Task<> write(std::span<asio::const_buffer> buffers);
  Task<> write(std::string_view bytes);

  // Says hello as a TLS client for `host` (SNI, verified name). Bounded by the deadline.
  Task<> start_tls(asio::ssl::context& context, std::string host);

  // Nothing is to be read and the peer has not closed: fit for another request.
  bool is_quiet();
  // The peer has closed or reset its side. Does not consume data.
  bool peer_is_gone();
  // Ends our side, so that the peer sees the end of what was written.
  void shutdown_write();
  // To a peer whose deadline ran out, after which nothing else goes: what can be sent at once of
  // it.
  void say_last(std::string_view bytes);
  // Fails the current and all further operations.
  void abort();
  bool timed_out() const { return expired_; }
  int native_handle() { return socket_.native_handle(); }

 private:
  void on_expired() override;
  Task<> write_tls(std::span<asio::const_buffer> buffers);

  Socket socket_;
  std::unique_ptr<Tls> tls_;
  bool expired_ = false;
};

}  // namespace aispm::net
