// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <span>
#include <string>
#include <vector>

#include "sandbox/supervise/event_loop.hpp"

namespace aispm::sandbox {

// Gives the reply to one message; empty: none.
using DnsAnswerer =
    std::function<std::vector<std::uint8_t>(std::span<const std::uint8_t>, const char* protocol)>;

// Reads one datagram of the agent's port 53, whatever address it was sent to, and answers from that
// address. False when no datagram waits.
bool serve_dns(int socket, int family, const DnsAnswerer& answer);

// Port 53 over TCP (RFC 7766). At most kMaxConnections: a further one ends the one that was quiet
// for longest. Not thread-safe.
class DnsTcp {
 public:
  static constexpr std::size_t kMaxConnections = 16;
  static constexpr std::size_t kMaxMessageBytes = 4096;

  DnsTcp(EventLoop& loop, UniqueFd listener, DnsAnswerer answer)
      : loop_(loop), listener_(std::move(listener)), answer_(std::move(answer)) {}
  ~DnsTcp();
  DnsTcp(const DnsTcp&) = delete;
  DnsTcp& operator=(const DnsTcp&) = delete;

  Result<> start();

 private:
  struct Connection {
    UniqueFd socket;
    std::string received;
  };
  void accept_one();
  void read(int fd);
  bool answer_whole(Connection& connection);
  void close(int fd);

  EventLoop& loop_;
  UniqueFd listener_;
  DnsAnswerer answer_;
  std::list<Connection> connections_;  // the one that spoke last is last
};

}  // namespace aispm::sandbox
