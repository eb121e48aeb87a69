// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "sandbox/supervise/event_loop.hpp"

namespace aispm::sandbox {

// Carries each connection that the agent makes to its proxy address to the gateway's Unix socket,
// behind a PROXY header that says whose it is. Bytes are never looked at. At most kMaxConnections
// at once: more wait in the listener's queue. Buffers at most kChunkBytes a direction. Without a
// gateway the agent gets HTTP 503 and the failure is counted.
class Relay {
 public:
  static constexpr std::size_t kMaxConnections = 256;
  static constexpr std::size_t kChunkBytes = 64 * 1024;

  Relay(EventLoop& loop, UniqueFd listener, std::string socket_path, std::string header)
      : loop_(loop),
        listener_(std::move(listener)),
        socket_path_(std::move(socket_path)),
        header_(std::move(header)) {}
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  Result<> start();
  // False while bytes of the agent are still on their way to the gateway.
  bool is_idle() const { return connections_.empty(); }
  std::uint64_t failures() const { return failures_; }
  const std::string& last_error() const { return last_error_; }

 private:
  struct Flow {
    std::string pending;  // read, not yet written
    bool is_ended = false;
    bool is_shut = false;
  };
  struct Connection {
    UniqueFd agent;
    UniqueFd gateway;  // none: the agent's bytes are read and dropped
    Flow up;           // agent to gateway
    Flow down;
  };

  void accept_one();
  void serve(std::uint64_t id);
  // False when the connection is broken.
  bool pump(Flow& flow, int from, int to);
  void watch(Connection& connection);
  void close(std::uint64_t id);

  EventLoop& loop_;
  UniqueFd listener_;
  std::string socket_path_;
  std::string header_;
  std::map<std::uint64_t, std::unique_ptr<Connection>> connections_;
  std::uint64_t next_id_ = 0;
  std::uint64_t failures_ = 0;
  std::string last_error_;
  bool is_accepting_ = false;
};

}  // namespace aispm::sandbox
