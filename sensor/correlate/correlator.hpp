// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "sensor/correlate/agent_servers.hpp"
#include "sensor/correlate/attribution.hpp"
#include "sensor/correlate/both_ends.hpp"
#include "sensor/correlate/byte_budget.hpp"
#include "sensor/correlate/connection.hpp"
#include "sensor/correlate/coverage.hpp"
#include "sensor/correlate/observation.hpp"
#include "sensor/model/records.hpp"

namespace aispm::sensor {

// Turns captured bytes of any source into what they say about language models. Everything it holds
// is bounded; whatever a bound or a malformed byte costs is counted. Pure logic: time comes with
// the records. Not thread-safe.
class Correlator {
 public:
  struct Options {
    bool keep_text = false;  // fill prompt_text and reply_text
    std::size_t max_connections = 4096;
    // Heads, bodies and stream text of all connections together.
    std::size_t max_bytes = 64U << 20;
    // A call whose connection has been silent for this long is reported as it is.
    std::chrono::seconds reply_timeout{600};
    // A connection without a call in flight is forgotten after this; its next bytes are read as
    // joined midway.
    std::chrono::seconds idle_timeout{3600};
    std::vector<GatewayPlace> gateways;  // where sanctioned calls go
    // What a process of this host runs, the same for each start of the same program: tells that a
    // stdio server is the one of last time. Empty text when unknown.
    std::function<std::string(const Actor&)> program_of;
    std::chrono::seconds coverage_interval{60};
  };

  using CoverageSink = std::function<void(Coverage::Report)>;

  // The sinks are called from within take(), end_process() and expire(); they must not call back.
  Correlator(
      Options options, ObservationSink sink,
      CoverageSink coverage_sink = [](const Coverage::Report&) {});
  Correlator(const Correlator&) = delete;
  Correlator& operator=(const Correlator&) = delete;

  void take(const StreamChunk& chunk);
  void take(const StreamClose& close);
  void take(const Connect& connect) { attributor_.sockets().take(connect); }
  void take(const Listen& listen) { attributor_.sockets().take(listen); }
  void take(const SocketBytes& bytes);
  void take(const SeenName& name);
  void take(const TlsLibraryFact& fact);
  // The process is gone: so are its connections.
  void end_process(const ProcessId& process, BootTime time);
  // Call about once a second.
  void expire(BootTime now);
  // Reports every call in flight as it is; for the sensor's own end.
  void close_all(BootTime now);

  // LlmCall.route of a connection of which no plaintext was seen.
  std::string route_of(const Endpoints& socket, BootTime now);

  // Whether observations carry texts; for streams that are seen first from now on.
  void keep_text(bool keeps) { options_.keep_text = keeps; }

  // What the destination of a client's connection is called and how that is known
  // (name_of(NameSource)); both empty when it is not.
  std::pair<std::string, std::string> name_of(const Endpoints& socket, BootTime now) {
    return attributor_.sockets().name_and_source_of(socket, now);
  }

  const CorrelateCounters& counters() const { return counters_; }
  std::size_t connections() const { return connections_.size(); }
  std::size_t held_bytes() const { return budget_.used(); }

 private:
  struct Entry {
    Entry(Context context, const StreamChunk& first, std::list<StreamKey>::iterator where)
        : connection(context, first), place(where) {}
    Connection connection;
    std::list<StreamKey>::iterator place;  // in recent_
  };
  using Table = std::map<StreamKey, Entry>;

  Table::iterator drop(Table::iterator found, BootTime time);
  void report(Observation seen);
  void pass_on(Observation seen);
  void compare_tools(Observation& seen);
  Context context() { return {budget_, counters_, own_sink_, agents_, options_.keep_text}; }

  Options options_;
  ObservationSink sink_;
  CoverageSink coverage_sink_;
  ObservationSink own_sink_;  // where streams report to
  CorrelateCounters counters_;
  ByteBudget budget_;
  Attributor attributor_;
  ObservationSink final_sink_;  // what is left once both ends are one
  BothEnds both_ends_;
  AgentServers agents_;
  ToolHistory tool_history_;
  Coverage coverage_;
  BootTime now_;  // of the latest record
  Table connections_;
  std::list<StreamKey> recent_;  // least recently used first
};

}  // namespace aispm::sensor
