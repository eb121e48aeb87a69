// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sandbox/model/denial.hpp"
#include "sandbox/supervise/door.hpp"
#include "sandbox/supervise/event_loop.hpp"

namespace aispm::sandbox {

// A connection to an allowed host that has ended.
struct Carried {
  HostPort host;
  Door door = Door::kProxy;
  std::uint64_t sent_bytes = 0;  // by the agent
  std::uint64_t received_bytes = 0;
  std::chrono::microseconds duration{0};
};

struct RelaySettings {
  std::string gateway_socket;  // empty: offline
  DoorPolicy policy;
  // What stands in front of each connection to the gateway: whose it is, and for which host.
  std::function<std::string(const std::optional<HostPort>& host)> header;
  std::function<void(Denial)> on_refused;
  std::function<void(const Carried&)> on_carried;
};

// A connection of the agent, accepted at one of its doors.
struct Arrival {
  UniqueFd socket;
  Door door = Door::kProxy;
  std::string address;  // "198.18.0.7:443", where it was made to; empty at the proxy door
  std::string name;     // behind that address
};

// Carries the agent's connections to the gateway's Unix socket, behind a PROXY header that says
// whose they are. The first bytes decide (door.hpp): to the gateway as they are, to an allowed host
// through it, or refused in the protocol of the door, with a report. After that bytes are not
// looked at. At most kMaxConnections at once: more wait in the proxy listener's queue. Buffers at
// most kChunkBytes a direction. Without a gateway the agent gets HTTP 503 and the failure is
// counted.
class Relay {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::size_t kMaxConnections = 256;
  static constexpr std::size_t kChunkBytes = 64 * 1024;
  static constexpr std::chrono::seconds kQuietAtTrap{10};   // without a word on ports 80 and 443
  static constexpr std::chrono::seconds kQuietAtProxy{75};  // clients connect ahead of need

  Relay(EventLoop& loop, UniqueFd listener, RelaySettings settings)
      : loop_(loop), listener_(std::move(listener)), settings_(std::move(settings)) {}
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  // `listener` may be empty: then only take() brings connections.
  Result<> start();
  void take(Arrival arrival);
  // Ends connections that said nothing for too long.
  void expire(Clock::time_point now);
  // When expire() is due; time_point::max() when nothing waits.
  Clock::time_point due() const;
  // False while bytes of the agent are still on their way to the gateway.
  bool is_idle() const { return connections_.size() == waiting_; }
  std::uint64_t failures() const { return failures_; }
  const std::string& last_error() const { return last_error_; }

 private:
  struct Flow {
    std::string pending;  // read, not yet written
    std::uint64_t bytes = 0;
    bool is_ended = false;
    bool is_shut = false;
  };
  struct Connection {
    Arrival arrival;
    UniqueFd gateway;  // none: the agent's bytes are read and dropped
    Flow up;           // agent to gateway
    Flow down;
    bool is_waiting = true;    // for the first bytes to be enough
    bool awaits_head = false;  // the gateway's verdict is still to come
    std::string head;
    std::optional<HostPort> host;
    Clock::time_point begin = Clock::now();
  };

  void accept_one();
  bool begin(std::uint64_t id, Connection& connection);
  void serve(std::uint64_t id);
  bool read_first(Connection& connection);
  bool open_gateway(std::uint64_t id, Connection& connection, const Knock& knock);
  void refuse(Connection& connection, const Knock& knock);
  void fail_to_reach(Connection& connection, const std::string& error);
  bool collect(Connection& connection);
  bool read_verdict(Connection& connection);
  // False when the connection is broken.
  bool pump(Flow& flow, int from, int to);
  void watch(Connection& connection);
  void close(std::uint64_t id);
  void pause_or_resume();
  Clock::time_point deadline_of(const Connection& connection) const;

  EventLoop& loop_;
  UniqueFd listener_;
  RelaySettings settings_;
  std::map<std::uint64_t, std::unique_ptr<Connection>> connections_;
  std::uint64_t next_id_ = 0;
  std::size_t waiting_ = 0;
  std::uint64_t failures_ = 0;
  std::string last_error_;
  bool is_accepting_ = false;
};

}  // namespace aispm::sandbox
