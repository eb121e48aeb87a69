// SPDX-License-Identifier: Apache-2.0
#include "sensor/correlate/llm_correlator.hpp"

#include <utility>

namespace aispm::sensor {
namespace {

bool is_older(BootTime time, BootTime now, std::chrono::seconds age) {
  const auto nanoseconds =
      static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(age).count());
  return now.nanoseconds > time.nanoseconds && now.nanoseconds - time.nanoseconds > nanoseconds;
}

}  // namespace

LlmCorrelator::LlmCorrelator(Options options, ObservationSink sink)
    : options_(options), sink_(std::move(sink)), budget_(options.max_bytes) {}

void LlmCorrelator::take(const TlsChunk& chunk) {
  auto found = connections_.find(chunk.key);
  if (found == connections_.end()) {
    if (connections_.size() >= options_.max_connections && !recent_.empty()) {
      counters_.lose("connections.evicted");
      drop(connections_.find(recent_.front()), chunk.time);
    }
    const Exchange::Context context{budget_, counters_, sink_, options_.keep_text};
    const auto place = recent_.insert(recent_.end(), chunk.key);
    found = connections_.try_emplace(chunk.key, context, chunk, place).first;
    counters_.note("connections");
  } else {
    recent_.splice(recent_.end(), recent_, found->second.place);
  }
  found->second.connection.take(chunk);
}

void LlmCorrelator::take(const TlsClose& close) {
  const auto found = connections_.find(close.key);
  if (found != connections_.end()) drop(found, close.time);
}

void LlmCorrelator::take(const SocketBytes&) { counters_.note("sockets"); }

void LlmCorrelator::take(const SeenName&) { counters_.note("names"); }

void LlmCorrelator::take(const TlsLibraryFact&) { counters_.note("libraries"); }

void LlmCorrelator::end_process(const ProcessId& process, BootTime time) {
  auto found = connections_.lower_bound(TlsKey{process, 0, 0});
  while (found != connections_.end() && found->first.process == process) found = drop(found, time);
}

void LlmCorrelator::expire(BootTime now) {
  // Least recently used first: the first that is young enough ends the walk, unless it only waits
  // for a reply.
  for (auto key = recent_.begin(); key != recent_.end();) {
    const auto found = connections_.find(*key++);
    const Connection& connection = found->second.connection;
    if (!is_older(connection.last_activity(), now, options_.reply_timeout)) break;
    if (connection.has_pending()) {
      counters_.lose("reply.timeout");
      drop(found, now);
    } else if (is_older(connection.last_activity(), now, options_.idle_timeout)) {
      drop(found, now);
    }
  }
}

void LlmCorrelator::close_all(BootTime now) {
  for (auto found = connections_.begin(); found != connections_.end();) found = drop(found, now);
}

LlmCorrelator::Table::iterator LlmCorrelator::drop(Table::iterator found, BootTime time) {
  found->second.connection.close(time);
  recent_.erase(found->second.place);
  return connections_.erase(found);
}

}  // namespace aispm::sensor
