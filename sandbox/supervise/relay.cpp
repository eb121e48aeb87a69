// SPDX-License-Identifier: Apache-2.0
#include "sandbox/supervise/relay.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>

#include "sandbox/supervise/gateway_link.hpp"

namespace aispm::sandbox {
namespace {

constexpr int kChunksPerTurn = 8;  // then others have their turn

std::string refusal() {
  const std::string body =
      R"({"error":{"message":"aispm-run: the gateway cannot be reached; nothing leaves the sandbox without it","type":"gateway_unreachable","code":"gateway_unreachable"}})";
  return "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: "
         "close\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace

Relay::~Relay() {
  while (!connections_.empty()) close(connections_.begin()->first);
  if (listener_) loop_.remove(listener_.get());
}

Result<> Relay::start() {
  is_accepting_ = true;
  return loop_.add(listener_.get(), EPOLLIN, [this](std::uint32_t) { accept_one(); });
}

void Relay::accept_one() {
  UniqueFd agent(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!agent) return;
  const int yes = 1;
  (void)::setsockopt(agent.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
  auto connection = std::make_unique<Connection>();
  connection->agent = std::move(agent);
  if (auto gateway = connect_unix(socket_path_); gateway) {
    connection->gateway = std::move(*gateway);
    connection->up.pending = header_;
  } else {
    ++failures_;
    last_error_ = gateway.error().message;
    connection->down.pending = refusal();
    connection->down.is_ended = true;
  }
  const std::uint64_t id = next_id_++;
  const int agent_fd = connection->agent.get();
  const int gateway_fd = connection->gateway.get();
  connections_[id] = std::move(connection);
  auto added = loop_.add(agent_fd, EPOLLIN, [this, id](std::uint32_t events) {
    // A reset: nobody is left to answer.
    (events & (EPOLLERR | EPOLLHUP)) != 0 ? close(id) : serve(id);
  });
  if (added && gateway_fd >= 0)
    added = loop_.add(gateway_fd, EPOLLIN | EPOLLOUT, [this, id](std::uint32_t) { serve(id); });
  if (!added) {
    ++failures_;
    last_error_ = added.error().message;
    return close(id);
  }
  if (connections_.size() >= kMaxConnections && is_accepting_) {
    is_accepting_ = false;
    loop_.change(listener_.get(), 0);
  }
  serve(id);
}

bool Relay::pump(Flow& flow, int from, int to) {
  thread_local std::array<char, kChunkBytes> chunk;
  for (int turn = 0; turn < kChunksPerTurn; ++turn) {
    while (!flow.pending.empty() && to >= 0) {
      const ssize_t sent =
          ::send(to, flow.pending.data(), flow.pending.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0) return errno == EAGAIN || errno == EINTR;
      flow.pending.erase(0, static_cast<std::size_t>(sent));
    }
    if (flow.is_ended) {
      if (!flow.is_shut && to >= 0) (void)::shutdown(to, SHUT_WR);
      flow.is_shut = true;
      return true;
    }
    if (from < 0) return true;
    const ssize_t size = ::recv(from, chunk.data(), chunk.size(), MSG_DONTWAIT);
    if (size < 0) return errno == EAGAIN || errno == EINTR;
    if (size == 0) {
      flow.is_ended = true;
      continue;
    }
    if (to < 0) continue;  // dropped
    const ssize_t sent =
        ::send(to, chunk.data(), static_cast<std::size_t>(size), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) return false;
    const std::size_t done = sent < 0 ? 0 : static_cast<std::size_t>(sent);
    flow.pending.assign(chunk.data() + done, static_cast<std::size_t>(size) - done);
  }
  return true;
}

void Relay::serve(std::uint64_t id) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  Connection& connection = *found->second;
  const int agent = connection.agent.get();
  const int gateway = connection.gateway.get();
  const bool is_whole =
      pump(connection.up, agent, gateway) && pump(connection.down, gateway, agent);
  if (!is_whole || (connection.up.is_shut && connection.down.is_shut)) return close(id);
  if (connection.down.is_ended && connection.gateway) {
    // The gateway has said its last word; only what it said is still to be handed over.
    loop_.remove(gateway);
    connection.gateway.reset();
    connection.up = Flow{};
  }
  watch(connection);
}

void Relay::watch(Connection& connection) {
  const auto interest = [](const Flow& reads, const Flow& writes) {
    return (reads.pending.empty() && !reads.is_ended ? EPOLLIN : 0U) |
           (writes.pending.empty() ? 0U : EPOLLOUT);
  };
  loop_.change(connection.agent.get(), interest(connection.up, connection.down));
  if (connection.gateway)
    loop_.change(connection.gateway.get(), interest(connection.down, connection.up));
}

void Relay::close(std::uint64_t id) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  loop_.remove(found->second->agent.get());
  if (found->second->gateway) loop_.remove(found->second->gateway.get());
  connections_.erase(found);
  if (!is_accepting_ && connections_.size() < kMaxConnections) {
    is_accepting_ = true;
    loop_.change(listener_.get(), EPOLLIN);
  }
}

}  // namespace aispm::sandbox
