// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "sensor/correlate/lru_map.hpp"
#include "sensor/model/records.hpp"

namespace aispm::sensor {

// Programs that may be servers on stdin and stdout: who is at their other end, and whether they
// speak JSON-RPC at all. Bounded; not thread-safe.
class StdioBook {
 public:
  static constexpr std::size_t kMaxServers = 4096;
  static constexpr std::size_t kMaxLineBytes = 256U << 10;  // of a first message

  // `peer`: who holds the other ends; zero when unknown.
  void take(const StdioFound& found, const ProcessId& peer);
  // Fills in the peer. False: the first message showed that it is no JSON-RPC; capture of this
  // process can stop.
  bool take(StreamChunk& chunk);

 private:
  struct Server {
    ProcessId peer;
    std::uint64_t generation = 0;
    std::string line[2];  // the first message of a direction, until it is whole
    bool is_proven = false;
  };
  LruMap<ProcessId, Server> servers_{kMaxServers};
};

}  // namespace aispm::sensor
