// SPDX-License-Identifier: Apache-2.0
#include "sensor/correlate/coverage.hpp"

#include <algorithm>

namespace aispm::sensor {
namespace {

constexpr std::uint16_t kHttpsPort = 443;
// A closed socket's last plaintext may come after its end.
constexpr std::uint64_t kSettleNanoseconds = 5'000'000'000;

std::uint64_t nanoseconds(std::chrono::nanoseconds duration) {
  return static_cast<std::uint64_t>(duration.count());
}

bool is_equal(const model::TlsCoverage& a, const model::TlsCoverage& b) {
  return a.connections == b.connections && a.wire_bytes == b.wire_bytes &&
         a.plaintext_bytes == b.plaintext_bytes && a.gaps == b.gaps;
}

}  // namespace

Coverage::Process& Coverage::process_of(const Actor& actor, BootTime time) {
  if (Process* found = processes_.find(actor.id)) {
    if (found->actor.comm.empty()) found->actor = actor;
    return *found;
  }
  Process made;
  made.actor = actor;
  if (auto dropped = processes_.put(actor.id, std::move(made))) {
    counters_.lose("coverage.evicted");
    if (auto last = report(dropped->second, time)) evicted_.push_back(std::move(*last));
    if (evicted_.size() > kMaxProcesses) evicted_.pop_front();
  }
  return *processes_.find(actor.id);
}

Coverage::Socket* Coverage::socket_of(Process& process, const Endpoints& socket, BootTime time) {
  if (socket.cookie == 0) return nullptr;
  const auto found = process.sockets.find(socket.cookie);
  if (found != process.sockets.end()) return &found->second;
  if (process.sockets.size() >= kMaxSocketsOfProcess) {
    make_final(process, time, false);
    if (process.sockets.size() >= kMaxSocketsOfProcess) {
      counters_.lose("coverage.sockets_full");
      return nullptr;
    }
  }
  return &process.sockets[socket.cookie];
}

void Coverage::take(const StreamChunk& chunk) {
  if (chunk.key.source != StreamSource::kTls) return;
  Process& process = process_of(chunk.actor, chunk.time);
  Stream* stream = streams_.find(chunk.key);
  if (stream == nullptr) {
    (void)streams_.put(chunk.key, Stream());
    stream = streams_.find(chunk.key);
  }
  const bool is_write = chunk.direction == Direction::kWrite;
  const ByteOrder::Step step = (is_write ? stream->writes : stream->reads).next(chunk);
  PlainUse use;
  use.bytes = step.bytes.size();
  use.calls = chunk.last_of_call ? 1 : 0;
  use.lost_bytes = step.lost;
  if (step.lost > 0) use.lost_cause = chunk.gap_cause;
  use.is_seen = true;
  use.joined_midway = !chunk.from_start;
  use.library = chunk.library;
  if (chunk.socket && chunk.socket->cookie != 0 && chunk.socket->cookie != stream->cookie)
    if (socket_of(process, *chunk.socket, chunk.time) != nullptr)
      move_stream(process, *stream, chunk.socket->cookie);
  if (stream->cookie != 0) {
    if (const auto found = process.sockets.find(stream->cookie); found != process.sockets.end())
      return found->second.use.plain.add(use);
    stream->cookie = 0;  // that socket is final already
  }
  stream->use.add(use);
  process.unplaced.add(use);
}

// Its bytes were nobody's until now, or another socket's by mistake: then those stay where they
// are.
void Coverage::move_stream(Process& process, Stream& stream, std::uint64_t cookie) {
  Socket& socket = process.sockets[cookie];
  socket.is_tls = true;
  process.unplaced.remove(stream.use);
  socket.use.plain.add(stream.use);
  stream.use = {};
  stream.cookie = cookie;
}

void Coverage::take(const StreamClose& close) { streams_.erase(close.key); }

void Coverage::take(const SocketBytes& bytes) {
  const bool is_quic =
      bytes.transport == Transport::kUdp && bytes.socket.destination.port == kHttpsPort;
  const bool is_https = bytes.socket.destination.port == kHttpsPort;
  if (bytes.transport == Transport::kUdp && !is_quic) return;
  const Process* known = processes_.find(bytes.actor.id);
  const bool is_known = known != nullptr && known->sockets.contains(bytes.socket.cookie);
  if (!is_https && !is_known) return;
  Process& process = process_of(bytes.actor, bytes.time);
  Socket* socket = socket_of(process, bytes.socket, bytes.time);
  if (socket == nullptr) return;
  socket->is_tls |= is_https;
  socket->use.is_quic = is_quic;
  socket->use.is_older = !bytes.saw_from_start;
  socket->use.wire_bytes = bytes.sent_bytes + bytes.received_bytes;
  if (!bytes.is_open) socket->closed = bytes.time;
}

void Coverage::take(const SeenName& name) {
  if (!name.socket || (name.source != NameSource::kSni && name.source != NameSource::kQuic)) return;
  Process& process = process_of(name.actor, name.time);
  if (Socket* socket = socket_of(process, *name.socket, name.time)) {
    socket->is_tls = true;
    socket->use.is_quic |= name.source == NameSource::kQuic;
  }
}

void Coverage::take(const TlsLibraryFact& fact) {
  Actor actor;
  actor.id = fact.process;
  Process& process = process_of(actor, fact.time);
  if (process.libraries.size() >= kMaxLibrariesOfProcess &&
      !process.libraries.contains(fact.library))
    return counters_.lose("coverage.libraries_full");
  process.libraries.insert_or_assign(fact.library, TlsLibraryState{fact.is_probed, fact.reason});
}

void Coverage::add_socket(const Process& process, const Socket& socket, std::uint64_t& unplaced,
                          Totals& totals) {
  if (!socket.is_tls) return;
  const WireShare share = share_of(socket.use, process.libraries);
  ++totals.connections;
  totals.wire_bytes += share.payload_bytes;
  totals.plaintext_bytes += share.payload_bytes - share.unseen_bytes;
  std::uint64_t unseen = share.unseen_bytes;
  if (!socket.use.plain.is_seen && !socket.use.is_quic) {
    // Plaintext that was captured but could not be tied to a socket is some socket's.
    const std::uint64_t placed = std::min(unseen, unplaced);
    unplaced -= placed;
    unseen -= placed;
    totals.plaintext_bytes += placed;
    // The rest of a connection that was read is its framing.
    const std::uint64_t framing =
        kHandshakeBytes + placed / kFullRecordBytes * kRecordBytes + placed / kErrorDivisor;
    if (placed > 0 && unseen <= framing) {
      totals.wire_bytes -= unseen;
      unseen = 0;
    }
  }
  if (unseen == 0) return;
  auto& [connections, bytes] = totals.gaps[cause_of(socket.use, process.libraries)];
  ++connections;
  bytes += unseen;
}

void Coverage::make_final(Process& process, BootTime now, bool all) {
  for (auto socket = process.sockets.begin(); socket != process.sockets.end();) {
    const auto& closed = socket->second.closed;
    const bool is_settled =
        all || (closed && closed->nanoseconds + kSettleNanoseconds <= now.nanoseconds);
    if (!is_settled) {
      ++socket;
      continue;
    }
    std::uint64_t unplaced =
        process.unplaced.bytes - std::min(process.unplaced.bytes, process.placed_bytes);
    const std::uint64_t before = unplaced;
    add_socket(process, socket->second, unplaced, process.final);
    process.placed_bytes += before - unplaced;
    socket = process.sockets.erase(socket);
  }
}

model::TlsCoverage Coverage::sum(const Process& process) {
  Totals totals = process.final;
  std::uint64_t unplaced =
      process.unplaced.bytes - std::min(process.unplaced.bytes, process.placed_bytes);
  for (const auto& [cookie, socket] : process.sockets)
    add_socket(process, socket, unplaced, totals);
  // What is left has a connection, too, though its bytes on the wire were not reported yet.
  totals.wire_bytes += unplaced;
  totals.plaintext_bytes += unplaced;
  model::TlsCoverage coverage;
  coverage.connections = totals.connections;
  coverage.wire_bytes = totals.wire_bytes;
  coverage.plaintext_bytes = totals.plaintext_bytes;
  for (const auto& [cause, counts] : totals.gaps)
    coverage.gaps.push_back({cause.library, cause.reason, counts.first, counts.second});
  return coverage;
}

std::optional<Coverage::Report> Coverage::report(Process& process, BootTime now) {
  model::TlsCoverage coverage = sum(process);
  if (coverage.connections == 0 && coverage.plaintext_bytes == 0) return std::nullopt;
  if (process.reported && is_equal(*process.reported, coverage)) return std::nullopt;
  process.reported = coverage;
  return Report{now, process.actor, std::move(coverage)};
}

std::vector<Coverage::Report> Coverage::due(BootTime now) {
  if (now.nanoseconds < last_due_.nanoseconds + nanoseconds(interval_)) return {};
  last_due_ = now;
  std::vector<Report> reports(std::make_move_iterator(evicted_.begin()),
                              std::make_move_iterator(evicted_.end()));
  evicted_.clear();
  processes_.for_each([&](const ProcessId&, Process& process) {
    make_final(process, now, false);
    if (auto one = report(process, now)) reports.push_back(std::move(*one));
  });
  return reports;
}

std::optional<Coverage::Report> Coverage::end_process(const ProcessId& process, BootTime now) {
  Process* found = processes_.find(process);
  if (found == nullptr) return std::nullopt;
  make_final(*found, now, true);
  auto last = report(*found, now);
  processes_.erase(process);
  streams_.erase_if([&](const StreamKey& key, const Stream&) { return key.process == process; });
  return last;
}

}  // namespace aispm::sensor
