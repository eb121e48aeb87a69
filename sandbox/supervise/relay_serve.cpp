// SPDX-License-Identifier: Apache-2.0
// A relayed connection from its first bytes to its end.
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "sandbox/supervise/relay.hpp"

namespace aispm::sandbox {

// Decides once the first bytes are enough. False when the connection is over.
bool Relay::begin(std::uint64_t id, Connection& connection) {
  const bool is_open = read_first(connection);
  if (!is_open && connection.up.pending.empty()) return false;
  Knock knock = decide(connection.arrival.door, connection.arrival.name, connection.up.pending,
                       settings_.policy);
  if (knock.ask == Knock::Ask::kMore) {
    if (is_open && connection.up.pending.size() < kMaxFirstBytes) return true;
    knock = {Knock::Ask::kRefused, {}, 400, "the request is cut or too long"};
  }
  connection.is_waiting = false;
  --waiting_;
  connection.up.is_ended = !is_open;
  if (knock.ask != Knock::Ask::kRefused) return open_gateway(id, connection, knock);
  refuse(connection, knock);
  connection.down.pending = refusal_bytes(connection.arrival.door, knock);
  connection.down.is_ended = true;
  return true;
}

void Relay::serve(std::uint64_t id) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  Connection& connection = *found->second;
  if (connection.is_waiting && !begin(id, connection)) return close(id);
  if (connection.is_waiting) return;
  const int agent = connection.arrival.socket.get();
  const int gateway = connection.gateway.get();
  bool is_whole = pump(connection.up, agent, gateway);
  if (is_whole && connection.awaits_head) {
    if (!collect(connection)) return close(id);
    if (!read_verdict(connection)) return watch(connection);
  }
  is_whole = is_whole && pump(connection.down, gateway, agent);
  if (!is_whole || (connection.up.is_shut && connection.down.is_shut)) return close(id);
  if (connection.down.is_ended && connection.gateway) {
    // The gateway has said its last word; only what it said is still to be handed over.
    loop_.remove(gateway);
    connection.gateway.reset();
    connection.up = Flow{"", connection.up.bytes, false, false};
  }
  watch(connection);
}

void Relay::watch(Connection& connection) {
  const auto interest = [](const Flow& reads, const Flow& writes) {
    return (reads.pending.empty() && !reads.is_ended ? EPOLLIN : 0U) |
           (writes.pending.empty() ? 0U : EPOLLOUT);
  };
  loop_.change(connection.arrival.socket.get(), interest(connection.up, connection.down));
  if (connection.gateway)
    loop_.change(connection.gateway.get(), interest(connection.down, connection.up));
}

void Relay::close(std::uint64_t id) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  const Connection& connection = *found->second;
  loop_.remove(connection.arrival.socket.get());
  if (connection.gateway) loop_.remove(connection.gateway.get());
  if (connection.is_waiting) --waiting_;
  if (connection.host && !connection.awaits_head)
    settings_.on_carried(
        {*connection.host, connection.arrival.door, connection.up.bytes, connection.down.bytes,
         std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - connection.begin)});
  connections_.erase(found);
  pause_or_resume();
}

Relay::Clock::time_point Relay::deadline_of(const Connection& connection) const {
  return connection.begin +
         (connection.arrival.door == Door::kProxy ? kQuietAtProxy : kQuietAtTrap);
}

Relay::Clock::time_point Relay::due() const {
  auto first = Clock::time_point::max();
  if (waiting_ == 0) return first;
  for (const auto& [id, connection] : connections_)
    if (connection->is_waiting) first = std::min(first, deadline_of(*connection));
  return first;
}

void Relay::expire(Clock::time_point now) {
  if (waiting_ == 0) return;
  std::vector<std::uint64_t> late;
  for (const auto& [id, connection] : connections_)
    if (connection->is_waiting && deadline_of(*connection) <= now) late.push_back(id);
  for (const std::uint64_t id : late) {
    Connection& connection = *connections_.at(id);
    if (connection.arrival.door != Door::kProxy)
      refuse(connection, {Knock::Ask::kRefused, {}, 408, "nothing was said for 10 s"});
    close(id);
  }
}

}  // namespace aispm::sandbox
