// SPDX-License-Identifier: Apache-2.0
#include "sandbox/supervise/relay.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "sandbox/supervise/gateway_link.hpp"

namespace aispm::sandbox {
namespace {

constexpr int kChunksPerTurn = 8;  // then others have their turn
constexpr std::size_t kMaxReplyHeadBytes = 16 * 1024;

std::string unreachable(Door door) {
  // RFC 8446 section 6: fatal, internal_error (80).
  if (door == Door::kTls) return std::string("\x15\x03\x03\x00\x02\x02\x50", 7);
  const std::string body =
      R"({"error":{"message":"aispm-run: the gateway cannot be reached; nothing leaves the sandbox without it","type":"gateway_unreachable","code":"gateway_unreachable"}})";
  return "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: "
         "close\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

// What the gateway is asked first on behalf of a program that speaks TLS to the name itself.
std::string tunnel_request(const HostPort& host) {
  const std::string authority = host.name + ":" + std::to_string(host.port);
  return "CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority + "\r\n\r\n";
}

std::array<char, Relay::kChunkBytes>& scratch() {
  thread_local std::array<char, Relay::kChunkBytes> chunk;
  return chunk;
}

}  // namespace

Relay::~Relay() {
  while (!connections_.empty()) close(connections_.begin()->first);
  if (listener_) loop_.remove(listener_.get());
}

Result<> Relay::start() {
  if (!listener_) return {};
  is_accepting_ = true;
  return loop_.add(listener_.get(), EPOLLIN, [this](std::uint32_t) { accept_one(); });
}

void Relay::accept_one() {
  UniqueFd agent(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (agent) take({std::move(agent), Door::kProxy, "", ""});
}

void Relay::take(Arrival arrival) {
  if (connections_.size() >= kMaxConnections) {
    settings_.on_refused({DenialKind::kConnect, arrival.address, "tcp", 0, arrival.name,
                          "too many connections at once"});
    return;
  }
  const int yes = 1;
  const int fd = arrival.socket.get();
  (void)::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
  auto connection = std::make_unique<Connection>();
  connection->arrival = std::move(arrival);
  const std::uint64_t id = next_id_++;
  connections_[id] = std::move(connection);
  ++waiting_;
  auto added = loop_.add(fd, EPOLLIN, [this, id](std::uint32_t events) {
    // A reset: nobody is left to answer.
    (events & (EPOLLERR | EPOLLHUP)) != 0 ? close(id) : serve(id);
  });
  if (!added) {
    ++failures_;
    last_error_ = added.error().message;
    return close(id);
  }
  pause_or_resume();
  serve(id);  // most clients have spoken by now: one wait less
}

void Relay::pause_or_resume() {
  const bool may_accept = connections_.size() < kMaxConnections;
  if (!listener_ || may_accept == is_accepting_) return;
  is_accepting_ = may_accept;
  loop_.change(listener_.get(), may_accept ? EPOLLIN : 0U);
}

// Reads what has come. False when the agent has ended its side or broken the connection.
bool Relay::read_first(Connection& connection) {
  auto& chunk = scratch();
  const ssize_t size =
      ::recv(connection.arrival.socket.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
  if (size < 0) return errno == EAGAIN || errno == EINTR;
  connection.up.pending.append(chunk.data(), static_cast<std::size_t>(size));
  connection.up.bytes += static_cast<std::uint64_t>(size);
  return size != 0;
}

void Relay::refuse(Connection& connection, const Knock& knock) {
  const Arrival& arrival = connection.arrival;
  const std::string target = !arrival.address.empty() ? arrival.address
                             : knock.host.name.empty()
                                 ? "(proxy)"
                                 : knock.host.name + ":" + std::to_string(knock.host.port);
  settings_.on_refused({DenialKind::kConnect, target, "tcp", 0,
                        arrival.name.empty() ? knock.host.name : arrival.name, knock.reason});
  connection.host.reset();
  connection.up = Flow{};
}

void Relay::fail_to_reach(Connection& connection, const std::string& error) {
  ++failures_;
  last_error_ = error;
  connection.host.reset();
  connection.up = Flow{};
  connection.down.pending = unreachable(connection.arrival.door);
  connection.down.is_ended = true;
}

// False when there is nothing to be done with the connection any more.
bool Relay::open_gateway(std::uint64_t id, Connection& connection, const Knock& knock) {
  auto gateway = connect_unix(settings_.gateway_socket);
  if (!gateway) {
    fail_to_reach(connection, gateway.error().message);
    return true;
  }
  std::string front;
  if (knock.ask == Knock::Ask::kHost) {
    connection.host = knock.host;
    connection.awaits_head = true;
    front = settings_.header(connection.host);
    if (connection.arrival.door == Door::kTls) front += tunnel_request(knock.host);
  } else {
    front = settings_.header(std::nullopt);
  }
  connection.up.pending.insert(0, front);
  connection.gateway = std::move(*gateway);
  auto added = loop_.add(connection.gateway.get(), EPOLLIN | EPOLLOUT,
                         [this, id](std::uint32_t) { serve(id); });
  if (added) return true;
  ++failures_;
  last_error_ = added.error().message;
  return false;
}

// Takes what the gateway has said, up to a limit. False when that connection is broken.
bool Relay::collect(Connection& connection) {
  auto& chunk = scratch();
  while (connection.head.size() + connection.down.pending.size() < kMaxReplyHeadBytes) {
    const ssize_t size =
        ::recv(connection.gateway.get(), chunk.data(), kMaxReplyHeadBytes, MSG_DONTWAIT);
    if (size < 0) return errno == EAGAIN || errno == EINTR;
    if (size == 0) {
      connection.down.is_ended = true;
      return true;
    }
    connection.down.pending.append(chunk.data(), static_cast<std::size_t>(size));
  }
  return true;
}

// Collects the head of the gateway's reply. False while it is not complete.
bool Relay::read_verdict(Connection& connection) {
  connection.head += std::exchange(connection.down.pending, "");
  const auto end = connection.head.find("\r\n\r\n");
  const bool is_whole = end != std::string::npos;
  if (!is_whole && !connection.down.is_ended && connection.head.size() < kMaxReplyHeadBytes)
    return false;
  connection.awaits_head = false;
  const ReplyHead reply = read_reply_head(is_whole ? connection.head.substr(0, end + 2) : "");
  const bool is_tls = connection.arrival.door == Door::kTls;
  if (!reply.denied.empty()) {
    const Knock knock{Knock::Ask::kRefused, *connection.host, reply.status, reply.denied};
    refuse(connection, knock);
    connection.down.pending = is_tls ? refusal_bytes(Door::kTls, knock) : connection.head;
    if (is_tls) connection.down.is_ended = true;
    return true;
  }
  if (!is_tls) {
    connection.down.pending = std::move(connection.head);
  } else if (reply.status == 200) {
    connection.down.pending = connection.head.substr(end + 4);
  } else {
    fail_to_reach(connection, "the gateway answered " + std::to_string(reply.status) + " for " +
                                  connection.host->name);
  }
  connection.down.bytes = connection.down.pending.size();
  return true;
}

bool Relay::pump(Flow& flow, int from, int to) {
  auto& chunk = scratch();
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
    flow.bytes += static_cast<std::uint64_t>(size);
    const ssize_t sent =
        ::send(to, chunk.data(), static_cast<std::size_t>(size), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) return false;
    const std::size_t done = sent < 0 ? 0 : static_cast<std::size_t>(sent);
    flow.pending.assign(chunk.data() + done, static_cast<std::size_t>(size) - done);
  }
  return true;
}

}  // namespace aispm::sandbox
