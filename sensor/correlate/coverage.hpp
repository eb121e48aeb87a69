// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <list>
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
// socket waits a moment for what is learned of its process's libraries before its numbers are
// final. A process that ended waits for the ends of its sockets: TCP says goodbye after the
// process is gone. Not thread-safe.
class Coverage {
 public:
  static constexpr std::size_t kMaxProcesses = 4096;
  static constexpr std::size_t kMaxGone = 4096;
  // In all, and of one process. Over it the oldest closed socket is final early, which loses
  // nothing; where none is closed the oldest is, and that is counted: its later bytes are not its.
  static constexpr std::size_t kMaxSockets = 65536;
  static constexpr std::size_t kMaxSocketsOfProcess = 4096;
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

  // Every interval: what changed since it was reported last. At once: processes that are complete.
  std::vector<Report> due(BootTime now);
  // The process is gone. Nothing when it had no TLS, nothing changed, or some of its sockets are
  // still open: then due() gives it.
  std::optional<Report> end_process(const ProcessId& process, BootTime now);
  // No more will come: what changed since it was reported last, of all processes.
  std::vector<Report> finish(BootTime now);

  std::size_t sockets() const { return socket_count_; }

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
    std::map<std::uint64_t, Socket> sockets;  // by cookie: the oldest first
    // In order of their end; some are final or open again.
    std::list<std::pair<BootTime, std::uint64_t>> closed;  // a deque takes 576 bytes empty
    std::size_t open_sockets = 0;
    PlainUse unplaced;               // plaintext of streams whose socket is unknown
    std::uint64_t placed_bytes = 0;  // of it, put down to sockets that are final
    Totals final;                    // of closed sockets
    std::optional<model::TlsCoverage> reported;
    std::optional<BootTime> ended;
  };

  Process& process_of(const Actor& actor, BootTime time);
  Socket* socket_of(Process& process, const Endpoints& socket, BootTime time);
  void take_totals(const SocketBytes& bytes, bool is_https, bool is_quic);
  static void set_open(Process& process, Socket& socket, std::uint64_t cookie, bool is_open,
                       BootTime time);
  void make_room(Process& process);
  void evict_process(BootTime now);
  void move_stream(Process& process, Stream& stream, Socket& socket, std::uint64_t cookie);
  void make_final(Process& process, std::uint64_t cookie);
  bool make_oldest_final(Process& process, BootTime closed_until);
  void settle(Process& process, BootTime now);
  std::optional<Report> make_all_final(Process& process, BootTime now);
  std::optional<Report> forget(const ProcessId& id, Process& process, BootTime now);
  void forget_ended(BootTime now, std::vector<Report>& reports);
  const TlsLibraryStates& libraries_of(const Process& process);
  static void add_socket(const TlsLibraryStates& libraries, const Socket& socket,
                         std::uint64_t& unplaced, Totals& totals);
  model::TlsCoverage sum(const Process& process);
  std::optional<Report> report(Process& process, BootTime now);

  const std::chrono::seconds interval_;
  CorrelateCounters& counters_;
  LruMap<ProcessId, Process> processes_{kMaxProcesses};
  LruMap<StreamKey, Stream> streams_{kMaxStreams};
  std::deque<Report> evicted_;
  std::deque<ProcessId> ended_;  // some are forgotten already
  // Processes that ended; true: with TLS, and their numbers are final.
  LruMap<ProcessId, bool> gone_{kMaxGone};                        // by start in ticks
  LruMap<ProcessId, TlsLibraryStates> libraries_{kMaxProcesses};  // by start in ticks

  std::size_t socket_count_ = 0;
  BootTime last_due_;
};

}  // namespace aispm::sensor
