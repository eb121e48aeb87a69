// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <deque>
#include <string>
#include <tuple>
#include <vector>

#include "sensor/correlate/address_key.hpp"
#include "sensor/correlate/lru_map.hpp"
#include "sensor/correlate/observation.hpp"

namespace aispm::sensor {

// A call between two processes of one host is seen twice, at its client and at its server, and must
// be reported once: the client's is. What a server saw is held back for a moment, because the
// server's bytes may arrive before the client's do, and dropped when the client's end of the same
// connection was read too. Where the connection of either end is unknown (memory BIOs), the
// same prompt of the same length at the same time is the same call. Not thread-safe.
class BothEnds {
 public:
  // How long a server's observation waits for the client's.
  static constexpr std::chrono::seconds kHold{2};
  static constexpr std::size_t kMaxHeld = 2048;
  static constexpr std::size_t kMaxClients = 4096;
  static constexpr std::size_t kMaxCalls = 1024;

  BothEnds(CorrelateCounters& counters, const ObservationSink& sink)
      : counters_(counters), sink_(sink) {}

  // Passes a client's observation on at once; holds a server's. Beyond kMaxHeld the oldest is
  // passed on before its time, and counted.
  void take(Observation seen, BootTime now);
  // Passes on what was held for long enough and not seen by a client.
  void release(BootTime now);
  void release_all();
  std::size_t held() const { return held_.size(); }

 private:
  struct Held {
    BootTime since;
    Observation seen;
  };
  // API, prompt hash, bytes of the request.
  using CallPrint = std::tuple<std::string, std::string, std::uint64_t>;
  struct ClientCall {
    BootTime time;  // of the request
    bool has_socket = false;
  };

  void remember_client(const Observation& seen);
  bool was_seen_by_client(const Observation& seen);
  void release_front();

  CorrelateCounters& counters_;
  const ObservationSink& sink_;
  std::deque<Held> held_;                           // oldest first
  LruMap<PairKey, BootTime> clients_{kMaxClients};  // connections read at their client's end
  LruMap<CallPrint, ClientCall> client_calls_{kMaxCalls};
};

}  // namespace aispm::sensor
