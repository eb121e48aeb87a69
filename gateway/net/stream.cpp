// SPDX-License-Identifier: Apache-2.0
#include "gateway/net/stream.hpp"

#include <sys/socket.h>

#include <boost/asio/deferred.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/write.hpp>
#include <tuple>

namespace aispm::net {
namespace {

// As kNoThrow, without a coroutine of its own for the operation: for the waits of every exchange.
constexpr auto kInPlace = asio::as_tuple(asio::deferred);

// Drops `size` bytes from the front of `buffers`.
std::span<asio::const_buffer> consume(std::span<asio::const_buffer> buffers, std::size_t size) {
  while (!buffers.empty() && size >= buffers.front().size()) {
    size -= buffers.front().size();
    buffers = buffers.subspan(1);
  }
  if (!buffers.empty()) buffers.front() += size;
  return buffers;
}

}  // namespace

Stream::Stream(Watchdog& watchdog, Socket socket) : Entry(watchdog), socket_(std::move(socket)) {
  error_code ignored;
  socket_.non_blocking(true, ignored);
}

Task<std::size_t> Stream::read_some(std::span<char> space) {
  if (expired_) co_return fail(Errc::kDeadlineExceeded, "read: timed out");
  const auto target = asio::buffer(space.data(), space.size());
  error_code error;
  std::size_t size = 0;
  if (tls_) {
    std::tie(error, size) = co_await tls_->async_read_some(target, kNoThrow);
  } else {
    std::tie(error, size) = co_await socket_.async_read_some(target, kInPlace);
  }
  if (error == asio::error::eof) co_return std::size_t{0};
  // A TLS peer that closes TCP without close_notify: an end, but framing decides whether it was a
  // whole message.
  if (error == asio::ssl::error::stream_truncated) co_return std::size_t{0};
  if (error) co_return fail_net("read", error);
  co_return size;
}

Task<> Stream::wait_readable() {
  if (expired_) co_return fail(Errc::kDeadlineExceeded, "read: timed out");
  auto [error] = co_await socket_.async_wait(Socket::wait_read, kNoThrow);
  if (error) co_return fail_net("read", error);
  co_return Result<>{};
}

Result<std::optional<std::size_t>> Stream::read_now(std::span<char> space) {
  if (expired_) return fail(Errc::kDeadlineExceeded, "read: timed out");
  error_code error;
  const std::size_t size = socket_.read_some(asio::buffer(space.data(), space.size()), error);
  if (error == asio::error::would_block) return std::optional<std::size_t>();
  if (error && error != asio::error::eof) return fail_net("read", error);
  return std::optional(error ? std::size_t{0} : size);
}

Task<> Stream::write(std::string_view bytes) {
  asio::const_buffer buffer(bytes.data(), bytes.size());
  co_return co_await write(std::span(&buffer, 1));
}

Result<bool> Stream::write_now(std::span<asio::const_buffer>& buffers) {
  if (expired_) return fail(Errc::kDeadlineExceeded, "write: timed out");
  if (tls_) return false;
  while (!buffers.empty()) {
    error_code error;
    const std::size_t size = socket_.write_some(buffers, error);
    if (error == asio::error::would_block) return false;
    if (error) return fail_net("write", error);
    buffers = consume(buffers, size);
  }
  return true;
}

Task<> Stream::write(std::span<asio::const_buffer> buffers) {
  // Most writes fit into the socket's buffer: no wait, no trip through the event loop.
  AISPM_CO_TRY(const bool is_done, write_now(buffers));
  if (is_done) co_return Result<>{};
  if (tls_) co_return co_await write_tls(buffers);
  auto [error, size] = co_await asio::async_write(socket_, buffers, kNoThrow);
  if (error) co_return fail_net("write", error);
  co_return Result<>{};
}

Task<> Stream::write_tls(std::span<asio::const_buffer> buffers) {
  auto [error, size] = co_await asio::async_write(*tls_, buffers, kNoThrow);
  if (error) co_return fail_net("write", error);
  co_return Result<>{};
}

Task<> Stream::start_tls(asio::ssl::context& context, std::string host) {
  tls_ = std::make_unique<Tls>(socket_, context);
  error_code not_an_address;
  asio::ip::make_address(host, not_an_address);
  if (not_an_address && SSL_set_tlsext_host_name(tls_->native_handle(), host.c_str()) != 1)
    co_return fail(Errc::kInternal, "TLS: cannot set the server name");
  tls_->set_verify_mode(asio::ssl::verify_peer);
  tls_->set_verify_callback(asio::ssl::host_name_verification(host));
  auto [error] = co_await tls_->async_handshake(asio::ssl::stream_base::client, kNoThrow);
  if (!error) co_return Result<>{};
  const long verdict = SSL_get_verify_result(tls_->native_handle());
  const std::string why =
      verdict == X509_V_OK ? "" : std::string(" (") + X509_verify_cert_error_string(verdict) + ")";
  Error failed = fail_net("TLS with " + host, error).value();
  failed.message += why;
  co_return fail(std::move(failed));
}

bool Stream::is_quiet() {
  char byte;
  const ssize_t size = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return !expired_ && size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

bool Stream::peer_is_gone() {
  char byte;
  const ssize_t size = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return size == 0 || (size < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

void Stream::shutdown_write() {
  error_code ignored;
  socket_.shutdown(asio::socket_base::shutdown_send, ignored);
}

void Stream::say_last(std::string_view bytes) {
  error_code ignored;
  if (!tls_) socket_.write_some(asio::buffer(bytes.data(), bytes.size()), ignored);
}

void Stream::abort() { on_expired(); }

void Stream::on_expired() {
  expired_ = true;
  error_code ignored;
  socket_.cancel(ignored);
}

}  // namespace aispm::net
