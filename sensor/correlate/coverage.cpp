// SPDX-License-Identifier: Apache-2.0
#include "sensor/correlate/coverage.hpp"

#include <algorithm>
#include <limits>

namespace aispm::sensor {
namespace {

constexpr std::uint16_t kHttpsPort = 443;
// What a process has loaded may be found out after its first connections.
constexpr std::uint64_t kSettleNanoseconds = 5'000'000'000;
// A socket of an ended process waits a minute for its peer's goodbye (net.ipv4.tcp_fin_timeout).
constexpr std::uint64_t kLingerNanoseconds = 65'000'000'000;

constexpr BootTime kEver{std::numeric_limits<std::uint64_t>::max()};

// The kernel's records give the start of a process in nanoseconds, /proc in ticks; who looks for
// libraries asks /proc.
ProcessId key_of(const ProcessId& process) {
  constexpr std::uint64_t kTickNanoseconds = 10'000'000;
  return {process.pid,
          BootTime{process.start.nanoseconds - process.start.nanoseconds % kTickNanoseconds}};
}

bool is_over(BootTime since, std::uint64_t nanoseconds, BootTime now) {
  return since.nanoseconds + nanoseconds <= now.nanoseconds;
}

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
  if (processes_.size() >= kMaxProcesses) evict_process(time);
  Process made;
  made.actor = actor;
  (void)processes_.put(actor.id, std::move(made));
  return *processes_.find(actor.id);
}

// One that ended, before one that goes on.
void Coverage::evict_process(BootTime now) {
  std::optional<Report> last;
  while (!ended_.empty() && processes_.find(ended_.front()) == nullptr) ended_.pop_front();
  if (!ended_.empty()) {
    const ProcessId id = ended_.front();
    last = forget(id, *processes_.find(id), now);
  } else {
    counters_.lose("coverage.evicted");
    auto oldest = processes_.pop_oldest();
    last = make_all_final(oldest.second, now);
  }
  if (last) evicted_.push_back(std::move(*last));
  if (evicted_.size() > kMaxProcesses) evicted_.pop_front();
}

Coverage::Socket* Coverage::socket_of(Process& process, const Endpoints& socket, BootTime time) {
  if (socket.cookie == 0) return nullptr;
  const auto found = process.sockets.find(socket.cookie);
  if (found != process.sockets.end()) return &found->second;
  settle(process, time);
  make_room(process);
  ++socket_count_;
  ++process.open_sockets;
  return &process.sockets[socket.cookie];
}

void Coverage::make_room(Process& process) {
  if (process.sockets.size() < kMaxSocketsOfProcess && socket_count_ < kMaxSockets) return;
  Process* from = &process;
  if (process.sockets.empty())
    for (auto one = processes_.begin(); from->sockets.empty(); ++one)
      from = processes_.peek(one->first);
  if (make_oldest_final(*from, kEver)) return;
  counters_.lose("coverage.sockets_full");
  make_final(*from, from->sockets.begin()->first);
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
  if (chunk.socket && chunk.socket->cookie != stream->cookie)
    if (Socket* socket = socket_of(process, *chunk.socket, chunk.time))
      move_stream(process, *stream, *socket, chunk.socket->cookie);
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
void Coverage::move_stream(Process& process, Stream& stream, Socket& socket, std::uint64_t cookie) {
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
  if (is_https || is_known) take_totals(bytes, is_https, is_quic);
}

void Coverage::take_totals(const SocketBytes& bytes, bool is_https, bool is_quic) {
  // The end of a connection may come after its process's.
  const bool* was_reported = gone_.find(key_of(bytes.actor.id));
  if (was_reported != nullptr && *was_reported) return counters_.lose("coverage.closed_late");
  Process& process = process_of(bytes.actor, bytes.time);
  if (was_reported != nullptr && !process.ended) {
    process.ended = bytes.time;
    ended_.push_back(bytes.actor.id);
  }
  Socket* socket = socket_of(process, bytes.socket, bytes.time);
  if (socket == nullptr) return;
  socket->is_tls |= is_https;
  socket->use.is_quic = is_quic;
  socket->use.is_older = !bytes.saw_from_start;
  socket->use.wire_bytes = bytes.sent_bytes + bytes.received_bytes;
  set_open(process, *socket, bytes.socket.cookie, bytes.is_open, bytes.time);
}

void Coverage::set_open(Process& process, Socket& socket, std::uint64_t cookie, bool is_open,
                        BootTime time) {
  if (is_open == !socket.closed.has_value()) return;
  if (is_open) {  // it is used again
    socket.closed.reset();
    ++process.open_sockets;
  } else {
    socket.closed = time;
    process.closed.emplace_back(time, cookie);
    --process.open_sockets;
  }
}

void Coverage::take(const SeenName& name) {
  if (!name.socket || (name.source != NameSource::kSni && name.source != NameSource::kQuic)) return;
  Process& process = process_of(name.actor, name.time);
  if (Socket* socket = socket_of(process, *name.socket, name.time)) {
    socket->is_tls = true;
    socket->use.is_quic |= name.source == NameSource::kQuic;
    // Nobody tells of the end of a UDP socket.
    if (name.source == NameSource::kQuic)
      set_open(process, *socket, name.socket->cookie, false, name.time);
  }
}

void Coverage::take(const TlsLibraryFact& fact) {
  const ProcessId key = key_of(fact.process);
  if (gone_.peek(key) != nullptr) return;  // looked at before its end, told after it
  if (libraries_.peek(key) == nullptr && libraries_.put(key, {}))
    counters_.lose("coverage.libraries_evicted");
  TlsLibraryStates& libraries = *libraries_.find(key);
  if (libraries.size() >= kMaxLibrariesOfProcess && !libraries.contains(fact.library))
    return counters_.lose("coverage.libraries_full");
  libraries.insert_or_assign(fact.library, TlsLibraryState{fact.is_probed, fact.reason});
}

const TlsLibraryStates& Coverage::libraries_of(const Process& process) {
  static const TlsLibraryStates kNone;
  const TlsLibraryStates* found = libraries_.peek(key_of(process.actor.id));
  return found != nullptr ? *found : kNone;
}

void Coverage::add_socket(const TlsLibraryStates& libraries, const Socket& socket,
                          std::uint64_t& unplaced, Totals& totals) {
  if (!socket.is_tls) return;
  const WireShare share = share_of(socket.use, libraries);
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
  auto& [connections, bytes] = totals.gaps[cause_of(socket.use, libraries)];
  ++connections;
  bytes += unseen;
}

void Coverage::make_final(Process& process, std::uint64_t cookie) {
  const auto socket = process.sockets.find(cookie);
  std::uint64_t unplaced =
      process.unplaced.bytes - std::min(process.unplaced.bytes, process.placed_bytes);
  const std::uint64_t before = unplaced;
  add_socket(libraries_of(process), socket->second, unplaced, process.final);
  process.placed_bytes += before - unplaced;
  if (!socket->second.closed) --process.open_sockets;
  process.sockets.erase(socket);
  --socket_count_;
}

// Of those closed until then; false when there is none.
bool Coverage::make_oldest_final(Process& process, BootTime closed_until) {
  while (!process.closed.empty() && process.closed.front().first <= closed_until) {
    const auto [time, cookie] = process.closed.front();
    process.closed.pop_front();
    const auto found = process.sockets.find(cookie);
    if (found == process.sockets.end() || found->second.closed != time) continue;
    make_final(process, cookie);
    return true;
  }
  return false;
}

void Coverage::settle(Process& process, BootTime now) {
  if (now.nanoseconds < kSettleNanoseconds) return;
  const BootTime until{now.nanoseconds - kSettleNanoseconds};
  while (make_oldest_final(process, until)) {
  }
}

std::optional<Coverage::Report> Coverage::make_all_final(Process& process, BootTime now) {
  while (!process.sockets.empty()) make_final(process, process.sockets.begin()->first);
  return report(process, now);
}

model::TlsCoverage Coverage::sum(const Process& process) {
  Totals totals = process.final;
  std::uint64_t unplaced =
      process.unplaced.bytes - std::min(process.unplaced.bytes, process.placed_bytes);
  const TlsLibraryStates& libraries = libraries_of(process);
  for (const auto& [cookie, socket] : process.sockets)
    add_socket(libraries, socket, unplaced, totals);
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
  std::vector<Report> reports;
  forget_ended(now, reports);
  if (now.nanoseconds < last_due_.nanoseconds + nanoseconds(interval_)) return reports;
  last_due_ = now;
  reports.insert(reports.end(), std::make_move_iterator(evicted_.begin()),
                 std::make_move_iterator(evicted_.end()));
  evicted_.clear();
  processes_.for_each([&](const ProcessId&, Process& process) {
    settle(process, now);
    if (auto one = report(process, now)) reports.push_back(std::move(*one));
  });
  return reports;
}

void Coverage::forget_ended(BootTime now, std::vector<Report>& reports) {
  const std::size_t count = ended_.size();
  for (std::size_t i = 0; i < count; ++i) {
    const ProcessId id = ended_.front();
    ended_.pop_front();
    Process* process = processes_.peek(id);
    if (process == nullptr) continue;
    if (process->open_sockets > 0 && !is_over(*process->ended, kLingerNanoseconds, now))
      ended_.push_back(id);
    else if (auto last = forget(id, *process, now))
      reports.push_back(std::move(*last));
  }
}

std::optional<Coverage::Report> Coverage::forget(const ProcessId& id, Process& process,
                                                 BootTime now) {
  auto last = make_all_final(process, now);
  (void)gone_.put(key_of(id), process.reported.has_value());
  libraries_.erase(key_of(id));
  processes_.erase(id);
  streams_.erase_if([&](const StreamKey& key, const Stream&) { return key.process == id; });
  return last;
}

std::optional<Coverage::Report> Coverage::end_process(const ProcessId& process, BootTime now) {
  Process* found = processes_.find(process);
  if (found == nullptr) {
    (void)gone_.put(key_of(process), false);
    libraries_.erase(key_of(process));
    return std::nullopt;
  }
  if (found->open_sockets == 0) return forget(process, *found, now);
  found->ended = now;
  ended_.push_back(process);
  return std::nullopt;
}

std::vector<Coverage::Report> Coverage::finish(BootTime now) {
  std::vector<Report> reports(std::make_move_iterator(evicted_.begin()),
                              std::make_move_iterator(evicted_.end()));
  evicted_.clear();
  processes_.for_each([&](const ProcessId&, Process& process) {
    if (auto one = report(process, now)) reports.push_back(std::move(*one));
  });
  return reports;
}

}  // namespace aispm::sensor
