// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sdk/core/model/event.hpp"
#include "sensor/correlate/byte_order.hpp"
#include "sensor/correlate/lru_map.hpp"
#include "sensor/correlate/observation.hpp"
#include "sensor/correlate/wire_share.hpp"
#include "sensor/model/records.hpp"

namespace aispm::sensor {

// How much of each process's TLS traffic was seen in plaintext, and why not the rest. Compares what
// sockets carried with the plaintext captured from them (wire_share.hpp says how). Counted are TCP
// connections to port 443 or with a ClientHello or plaintext, and UDP to port 443 (QUIC). A closed
// socket waits a moment for its last plaintext before its numbers are final. Not thread-safe.
class Coverage {
 public:
  static constexpr std::size_t kMaxProcesses = 4096;
  static constexpr std::size_t kMaxSocketsOfProcess = 1024;
  static constexpr std::size_t kMaxStreams = 8192;
  static constexpr std::size_t kMaxLibrariesOfProcess = 32;

  struct Report {
    BootTime time;
    Actor actor;
    model::TlsCoverage coverage;
  };

  Coverage(std::chrono::seconds interval, CorrelateCounters& counters)
      : interval_(interval), counters_(counters) {}

  void take(const StreamChunk& chunk);
  void take(const StreamClose& close);
  void take(const SocketBytes& bytes);
  void take(const SeenName& name);
  void take(const TlsLibraryFact& fact);

  // Every interval: what changed since it was reported last.
  std::vector<Report> due(BootTime now);
  // The process is gone; nothing when it had no TLS, or nothing changed.
  std::optional<Report> end_process(const ProcessId& process, BootTime now);

 private:
  struct Socket {
    WireUse use;
    bool is_tls = false;
    std::optional<BootTime> closed;
  };
  struct Stream {
    ByteOrder reads;
    ByteOrder writes;
    std::uint64_t cookie = 0;  // of the socket that its bytes are counted for; 0 = unknown
    PlainUse use;              // of what is in Process::unplaced
  };
  struct Totals {
    std::uint64_t connections = 0;
    std::uint64_t wire_bytes = 0;
    std::uint64_t plaintext_bytes = 0;
    std::map<CoverageCause, std::pair<std::uint64_t, std::uint64_t>> gaps;  // connections, bytes
  };
  struct Process {
    Actor actor;
    std::map<std::uint64_t, Socket> sockets;  // by cookie
    TlsLibraryStates libraries;
    PlainUse unplaced;               // plaintext of streams whose socket is unknown
    std::uint64_t placed_bytes = 0;  // of it, put down to sockets that are final
    Totals final;                    // of closed sockets
    std::optional<model::TlsCoverage> reported;
  };

  Process& process_of(const Actor& actor, BootTime time);
  Socket* socket_of(Process& process, const Endpoints& socket, BootTime time);
  void move_stream(Process& process, Stream& stream, std::uint64_t cookie);
  void make_final(Process& process, BootTime now, bool all);
  static void add_socket(const Process& process, const Socket& socket, std::uint64_t& unplaced,
                         Totals& totals);
  static model::TlsCoverage sum(const Process& process);
  std::optional<Report> report(Process& process, BootTime now);

  const std::chrono::seconds interval_;
  CorrelateCounters& counters_;
  LruMap<ProcessId, Process> processes_{kMaxProcesses};
  LruMap<StreamKey, Stream> streams_{kMaxStreams};
  std::deque<Report> evicted_;
  BootTime last_due_;
};

}  // namespace aispm::sensor
