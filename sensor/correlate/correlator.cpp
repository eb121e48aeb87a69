// SPDX-License-Identifier: Apache-2.0
#include "sensor/correlate/correlator.hpp"

#include <algorithm>
#include <utility>

namespace aispm::sensor {
namespace {

bool is_older(BootTime time, BootTime now, std::chrono::seconds age) {
  const auto nanoseconds =
      static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(age).count());
  return now.nanoseconds > time.nanoseconds && now.nanoseconds - time.nanoseconds > nanoseconds;
}

}  // namespace

Correlator::Correlator(Options options, ObservationSink sink)
    : options_(std::move(options)),
      sink_(std::move(sink)),
      own_sink_([this](Observation seen) { report(std::move(seen)); }),
      attributor_(options_.gateways),
      both_ends_(counters_, sink_),
      budget_(options_.max_bytes) {}

void Correlator::report(Observation seen) {
  attributor_.complete(seen);
  both_ends_.take(std::move(seen), now_);
}

void Correlator::take(const StreamChunk& chunk) {
  now_ = std::max(now_, chunk.time);
  auto found = connections_.find(chunk.key);
  if (found == connections_.end()) {
    if (connections_.size() >= options_.max_connections && !recent_.empty()) {
      counters_.lose("connections.evicted");
      drop(connections_.find(recent_.front()), chunk.time);
    }
    const Context context{budget_, counters_, own_sink_, options_.keep_text};
    const auto place = recent_.insert(recent_.end(), chunk.key);
    found = connections_.try_emplace(chunk.key, context, chunk, place).first;
    counters_.note("connections");
  } else {
    recent_.splice(recent_.end(), recent_, found->second.place);
  }
  found->second.connection.take(chunk);
}

void Correlator::take(const StreamClose& close) {
  const auto found = connections_.find(close.key);
  if (found != connections_.end()) drop(found, close.time);
}

void Correlator::take(const SocketBytes& bytes) { attributor_.sockets().take(bytes); }

void Correlator::take(const SeenName& name) { attributor_.sockets().take(name); }

void Correlator::take(const TlsLibraryFact&) { counters_.note("libraries"); }

std::string Correlator::route_of(const Endpoints& socket, BootTime now) {
  const std::string name = attributor_.sockets().name_of(socket, now);
  return attributor_.judge().judge(name, name, socket);
}

void Correlator::end_process(const ProcessId& process, BootTime time) {
  auto found = connections_.lower_bound(StreamKey{process, 0, 0});
  while (found != connections_.end() && found->first.process == process) found = drop(found, time);
  attributor_.sockets().end_process(process);
}

void Correlator::expire(BootTime now) {
  now_ = std::max(now_, now);
  both_ends_.release(now);
  attributor_.sockets().expire(now);
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

void Correlator::close_all(BootTime now) {
  for (auto found = connections_.begin(); found != connections_.end();) found = drop(found, now);
  both_ends_.release_all();
}

Correlator::Table::iterator Correlator::drop(Table::iterator found, BootTime time) {
  found->second.connection.close(time);
  recent_.erase(found->second.place);
  return connections_.erase(found);
}

}  // namespace aispm::sensor
