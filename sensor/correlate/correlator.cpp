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

Correlator::Correlator(Options options, ObservationSink sink, CoverageSink coverage_sink)
    : options_(std::move(options)),
      sink_(std::move(sink)),
      coverage_sink_(std::move(coverage_sink)),
      own_sink_([this](Observation seen) { report(std::move(seen)); }),
      budget_(options_.max_bytes),
      attributor_(options_.gateways),
      final_sink_([this](Observation seen) { pass_on(std::move(seen)); }),
      both_ends_(counters_, final_sink_),
      coverage_(options_.coverage_interval, counters_) {}

void Correlator::report(Observation seen) {
  attributor_.complete(seen);
  both_ends_.take(std::move(seen), now_);
}

void Correlator::pass_on(Observation seen) {
  if (seen.agent_call) seen.agent_call->server_host = seen.call.host;
  if (!seen.tools) return sink_(std::move(seen));
  compare_tools(seen);
  if (seen.tools) sink_(std::move(seen));
}

// The same list as last time is no news.
void Correlator::compare_tools(Observation& seen) {
  model::McpTools& tools = *seen.tools;
  tools.server_host = seen.call.host;
  std::string program;
  if (tools.server_host.empty() && options_.program_of) program = options_.program_of(seen.server);
  // Users of one server may be shown different tools.
  const std::string server = std::to_string(seen.party.actor.uid) + "|" + tools.transport + "|" +
                             tools.server_host + "|" + program + "|" + tools.server_name;
  auto change = tool_history_.compare(server, tools.tools);
  if (!change) return seen.tools.reset();
  tools.added = std::move(change->added);
  tools.removed = std::move(change->removed);
  tools.changed = std::move(change->changed);
  if (tools.tools.size() <= AgentTalk::kMaxReportedTools) return;
  counters_.lose("rpc.tools_cut");
  tools.tools.resize(AgentTalk::kMaxReportedTools);
}

void Correlator::take(const StreamChunk& chunk) {
  now_ = std::max(now_, chunk.time);
  coverage_.take(chunk);
  auto found = connections_.find(chunk.key);
  if (found == connections_.end()) {
    if (connections_.size() >= options_.max_connections && !recent_.empty()) {
      counters_.lose("connections.evicted");
      drop(connections_.find(recent_.front()), chunk.time);
    }
    const auto place = recent_.insert(recent_.end(), chunk.key);
    found = connections_.try_emplace(chunk.key, context(), chunk, place).first;
    counters_.note("connections");
  } else {
    recent_.splice(recent_.end(), recent_, found->second.place);
  }
  found->second.connection.take(chunk);
}

void Correlator::take(const StreamClose& close) {
  coverage_.take(close);
  const auto found = connections_.find(close.key);
  if (found != connections_.end()) drop(found, close.time);
}

void Correlator::take(const SocketBytes& bytes) {
  attributor_.sockets().take(bytes);
  coverage_.take(bytes);
}

void Correlator::take(const SeenName& name) {
  attributor_.sockets().take(name);
  coverage_.take(name);
}

void Correlator::take(const TlsLibraryFact& fact) { coverage_.take(fact); }

std::string Correlator::route_of(const Endpoints& socket, BootTime now) {
  const std::string name = attributor_.sockets().name_of(socket, now);
  return attributor_.judge().judge(name, name, socket);
}

void Correlator::end_process(const ProcessId& process, BootTime time) {
  auto found = connections_.lower_bound(StreamKey{process, 0, 0});
  while (found != connections_.end() && found->first.process == process) found = drop(found, time);
  agents_.end_process(process, time, context());
  attributor_.sockets().end_process(process);
  if (auto last = coverage_.end_process(process, time)) coverage_sink_(std::move(*last));
}

void Correlator::expire(BootTime now) {
  now_ = std::max(now_, now);
  both_ends_.release(now);
  for (Coverage::Report& one : coverage_.due(now)) coverage_sink_(std::move(one));
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
  agents_.close_all(now, context());
  both_ends_.release_all();
  for (Coverage::Report& one : coverage_.finish(now)) coverage_sink_(std::move(one));
}

Correlator::Table::iterator Correlator::drop(Table::iterator found, BootTime time) {
  found->second.connection.close(time);
  recent_.erase(found->second.place);
  return connections_.erase(found);
}

}  // namespace aispm::sensor
