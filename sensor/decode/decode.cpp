// SPDX-License-Identifier: Apache-2.0
#include "sensor/decode/decode.hpp"

#include <cstring>
#include <string>
#include <utility>

#include "sensor/decode/parts.hpp"

namespace aispm::sensor {
namespace {

std::vector<std::string> split_strings(std::string_view block) {
  std::vector<std::string> arguments;
  while (!block.empty()) {
    const std::size_t size = std::min(block.find('\0'), block.size());
    arguments.emplace_back(block.substr(0, size));
    block.remove_prefix(std::min(size + 1, block.size()));
  }
  return arguments;
}

}  // namespace

Actor decode_actor(const aispm_event_header& header) {
  Actor actor;
  actor.id = {header.tgid, BootTime{header.start_boottime_ns}};
  actor.tid = header.tid;
  actor.cgroup_id = header.cgroup_id;
  return actor;
}

Actor decode_actor(const aispm_event_header& header, const aispm_actor& who) {
  Actor actor = decode_actor(header);
  actor.parent = {who.parent_tgid, BootTime{who.parent_start_boottime_ns}};
  actor.uid = who.uid;
  actor.pid_namespace = who.pid_namespace;
  actor.comm = text_of(who.comm);
  return actor;
}

Result<Endpoints> decode_endpoints(const aispm_endpoints& socket) {
  if (socket.family != AISPM_FAMILY_INET && socket.family != AISPM_FAMILY_INET6)
    return fail(Errc::kInvalid, "socket of an unknown address family");
  const bool is_v6 = socket.family == AISPM_FAMILY_INET6;
  Endpoints endpoints;
  endpoints.source = {std::to_array(socket.source), is_v6, socket.source_port};
  endpoints.destination = {std::to_array(socket.destination), is_v6, socket.destination_port};
  endpoints.cookie = socket.cookie;
  return endpoints;
}

std::string join_path(std::string_view names, bool is_cut) {
  std::string path = is_cut ? "..." : "";
  const std::vector<std::string> parts = split_strings(names);
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) path += "/" + *part;
  return path;
}

namespace {

Result<Record> decode_exec(Bytes bytes) {
  constexpr std::size_t kFixed = offsetof(aispm_exec_event, args);
  if (bytes.size() < kFixed) return fail(Errc::kInvalid, "exec record is cut");
  aispm_exec_event event{};
  std::memcpy(&event, bytes.data(), kFixed);
  if (event.path_size > AISPM_PATH_LEN || event.args_size > AISPM_ARGS_LEN ||
      bytes.size() != kFixed + event.args_size)
    return fail(Errc::kInvalid, "exec record with wrong sizes");
  Exec exec;
  exec.time = {event.header.boottime_ns};
  exec.actor = decode_actor(event.header, event.actor);
  exec.exe =
      join_path({event.path, event.path_size}, (event.flags & AISPM_EXEC_PATH_TRUNCATED) != 0);
  exec.argv = split_strings(text_of(bytes.subspan(kFixed)));
  exec.argv_truncated = cut_arguments(exec.argv) || (event.flags & AISPM_EXEC_ARGS_TRUNCATED) != 0;
  exec.argv_unreadable = (event.flags & AISPM_EXEC_ARGS_FAULT) != 0;
  return exec;
}

Result<Record> decode_exit(Bytes bytes) {
  AISPM_TRY(const auto event, copy_whole<aispm_exit_event>(bytes));
  return Exit{{event.header.boottime_ns},
              decode_actor(event.header, event.actor),
              event.exit_code,
              event.signal};
}

Result<Record> decode_listen(Bytes bytes) {
  AISPM_TRY(const auto event, copy_whole<aispm_listen_event>(bytes));
  AISPM_TRY(const Endpoints socket, decode_endpoints(event.socket));
  return Listen{{event.header.boottime_ns},
                decode_actor(event.header, event.actor),
                socket,
                decode_transport(event.socket)};
}

Result<Record> decode_connect(Bytes bytes) {
  AISPM_TRY(const auto event, copy_whole<aispm_connect_event>(bytes));
  AISPM_TRY(const Endpoints socket, decode_endpoints(event.socket));
  Connect connect{{event.header.boottime_ns}, decode_actor(event.header, event.actor), socket, {},
                  event.latency_us,           decode_transport(event.socket)};
  switch (event.outcome) {
    case AISPM_CONNECT_ESTABLISHED:
      connect.outcome = ConnectOutcome::kEstablished;
      break;
    case AISPM_CONNECT_FAILED:
      connect.outcome = ConnectOutcome::kFailed;
      break;
    case AISPM_CONNECT_PENDING:
      connect.outcome = ConnectOutcome::kPending;
      break;
    default:
      return fail(Errc::kInvalid, "connect record with an unknown outcome");
  }
  return connect;
}

Result<Record> decode_tls_data(Bytes bytes) {
  AISPM_TRY(const auto event, copy_front<aispm_tls_event>(bytes));
  if (event.size == 0 || event.size > AISPM_CHUNK_LEN || bytes.size() != sizeof(event) + event.size)
    return fail(Errc::kInvalid, "TLS record with wrong sizes");
  if (event.direction > AISPM_TLS_WRITE || event.library < AISPM_LIBRARY_OPENSSL ||
      event.library > AISPM_LIBRARY_LAST)
    return fail(Errc::kInvalid, "TLS record with an unknown direction or library");
  if (event.offset > UINT64_MAX - event.size || event.gap > event.offset)
    return fail(Errc::kInvalid, "TLS record with an impossible offset");
  if (event.gap_cause > AISPM_GAP_HIDDEN || event.confidence > 100 ||
      event.attribution > AISPM_ATTRIBUTION_THREAD_SEQUENCE)
    return fail(Errc::kInvalid, "TLS record with an unknown gap cause or attribution");
  TlsChunk chunk;
  chunk.time = {event.header.boottime_ns};
  chunk.actor = decode_actor(event.header);
  chunk.actor.uid = event.uid;
  chunk.actor.pid_namespace = event.pid_namespace;
  chunk.actor.comm = text_of(event.comm);
  chunk.key = {chunk.actor.id, event.key.ssl, event.key.generation};
  chunk.direction = event.direction == AISPM_TLS_WRITE ? Direction::kWrite : Direction::kRead;
  chunk.library = static_cast<TlsLibrary>(event.library - AISPM_LIBRARY_OPENSSL);
  chunk.offset = event.offset;
  chunk.gap_bytes = event.gap;
  chunk.gap_cause = static_cast<GapCause>(event.gap_cause);
  chunk.bytes = text_of(bytes.subspan(sizeof(event)));
  chunk.last_of_call = (event.flags & AISPM_TLS_LAST_OF_CALL) != 0;
  chunk.from_start = (event.flags & AISPM_TLS_FROM_START) != 0;
  if (event.socket.family != 0) {
    AISPM_TRY(chunk.socket, decode_endpoints(event.socket));
    chunk.attribution = {static_cast<AttributionMethod>(event.attribution),
                         static_cast<double>(event.confidence) / 100};
  }
  chunk.fd = event.fd;
  return chunk;
}

Result<Record> decode_tls_close(Bytes bytes) {
  AISPM_TRY(const auto event, copy_whole<aispm_tls_close_event>(bytes));
  TlsClose close;
  close.time = {event.header.boottime_ns};
  close.actor = decode_actor(event.header);
  close.key = {close.actor.id, event.key.ssl, event.key.generation};
  close.read_bytes = event.read_bytes;
  close.written_bytes = event.written_bytes;
  close.read_lost = event.read_lost;
  close.written_lost = event.written_lost;
  return close;
}

}  // namespace

Result<Record> decode_record(Bytes bytes) {
  AISPM_TRY(const auto header, copy_front<aispm_event_header>(bytes));
  if (header.size > bytes.size())
    return fail(Errc::kInvalid, "record announces more bytes than there are");
  const Bytes used = bytes.first(header.size);
  switch (header.kind) {
    case AISPM_KIND_EXEC:
      return decode_exec(used);
    case AISPM_KIND_EXIT:
      return decode_exit(used);
    case AISPM_KIND_LISTEN:
      return decode_listen(used);
    case AISPM_KIND_CONNECT:
      return decode_connect(used);
    case AISPM_KIND_TLS_DATA:
      return decode_tls_data(used);
    case AISPM_KIND_TLS_CLOSE:
      return decode_tls_close(used);
    case AISPM_KIND_AGENT_FORK:
    case AISPM_KIND_FILE_OPEN:
    case AISPM_KIND_RAW_SOCKET:
    case AISPM_KIND_SIGNAL:
      return decode_behaviour(header, used);
    case AISPM_KIND_ENFORCED:
      return decode_enforced(used);
    default:
      return decode_net(header, used);
  }
}

LossSnapshot decode_losses(BootTime time, const std::array<aispm_loss, AISPM_LOSS_CAUSES>& sums) {
  static constexpr std::pair<std::size_t, const char*> kNames[] = {
      {AISPM_LOSS_RING_FULL_CONTROL, "ring_full.control"},
      {AISPM_LOSS_RING_FULL_DATA, "ring_full.data"},
      {AISPM_LOSS_READ_FAULT, "read_fault"},
      {AISPM_LOSS_CALLS_FULL, "tls_calls_full"},
      {AISPM_LOSS_CONNECTIONS_FULL, "tls_connections_full"},
      {AISPM_LOSS_CONNECTS_FULL, "connects_full"},
      {AISPM_LOSS_LENGTH_FAULT, "length_fault"},
      {AISPM_LOSS_HIDDEN, "tls_hidden"},
      {AISPM_LOSS_AGENTS_FULL, "agents_full"},
      {AISPM_LOSS_SOCKETS_FULL, "sockets_full"},
      {AISPM_LOSS_STDIO_FULL, "stdio_full"}};
  static_assert(std::size(kNames) == AISPM_LOSS_CAUSES);
  LossSnapshot snapshot{time, {}};
  for (const auto& [cause, name] : kNames)
    snapshot.causes[name] = {sums[cause].records, sums[cause].bytes};
  return snapshot;
}

}  // namespace aispm::sensor
