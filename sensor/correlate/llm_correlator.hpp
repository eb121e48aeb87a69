// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <map>
#include <string>

#include "sensor/correlate/byte_budget.hpp"
#include "sensor/correlate/connection.hpp"
#include "sensor/correlate/observation.hpp"
#include "sensor/model/records.hpp"

namespace aispm::sensor {

// Turns TLS plaintext into what it says about language models. Everything it holds is bounded;
// whatever a bound or a malformed byte costs is counted. Pure logic: time comes with the records.
// Not thread-safe.
class LlmCorrelator {
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
  };

  // `sink` is called from within take(), end_process() and expire(); it must not call back.
  LlmCorrelator(Options options, ObservationSink sink);
  LlmCorrelator(const LlmCorrelator&) = delete;
  LlmCorrelator& operator=(const LlmCorrelator&) = delete;

  void take(const TlsChunk& chunk);
  void take(const TlsClose& close);
  void take(const SocketBytes& bytes);
  void take(const SeenName& name);
  void take(const TlsLibraryFact& fact);
  // The process is gone: so are its connections.
  void end_process(const ProcessId& process, BootTime time);
  // Call about once a second.
  void expire(BootTime now);
  // Reports every call in flight as it is; for the sensor's own end.
  void close_all(BootTime now);

  const CorrelateCounters& counters() const { return counters_; }
  std::size_t connections() const { return connections_.size(); }
  std::size_t held_bytes() const { return budget_.used(); }

 private:
  struct Entry {
    Entry(Exchange::Context context, const TlsChunk& first, std::list<TlsKey>::iterator where)
        : connection(context, first), place(where) {}
    Connection connection;
    std::list<TlsKey>::iterator place;  // in recent_
  };
  using Table = std::map<TlsKey, Entry>;

  Table::iterator drop(Table::iterator found, BootTime time);

  Options options_;
  ObservationSink sink_;
  CorrelateCounters counters_;
  ByteBudget budget_;
  Table connections_;
  std::list<TlsKey> recent_;  // least recently used first
};

}  // namespace aispm::sensor
