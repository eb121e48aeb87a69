// SPDX-License-Identifier: Apache-2.0
#include "gateway/net/http_server.hpp"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <chrono>
#include <thread>

#include "gateway/net/http_session.hpp"
#include "sdk/core/common/log.hpp"

namespace aispm::net {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;

class Server : public HttpServer {
 public:
  Server(std::shared_ptr<HttpServerCore> core, tcp::acceptor acceptor)
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
    auto session = std::make_shared<HttpSession>(core_, std::move(socket));
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

  std::shared_ptr<HttpServerCore> core_;
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
  auto core = std::make_shared<HttpServerCore>();
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
