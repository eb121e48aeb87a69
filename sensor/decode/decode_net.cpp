// SPDX-License-Identifier: Apache-2.0
#include "sensor/decode/parts.hpp"

namespace aispm::sensor {
namespace {

constexpr std::uint16_t kUdpProtocol = 17;

Result<Direction> decode_direction(std::uint8_t direction) {
  if (direction > AISPM_TLS_WRITE) return fail(Errc::kInvalid, "record with an unknown direction");
  return direction == AISPM_TLS_WRITE ? Direction::kWrite : Direction::kRead;
}

Result<Record> decode_name(Bytes bytes) {
  AISPM_TRY(const auto event, copy_front<aispm_name_event>(bytes));
  if (event.size == 0 || event.size > AISPM_NAME_LEN_MAX ||
      bytes.size() != sizeof(event) + event.size)
    return fail(Errc::kInvalid, "name record with wrong sizes");
  if (event.what == 0 || event.what > AISPM_NAME_KINDS)
    return fail(Errc::kInvalid, "name record of an unknown protocol");
  static constexpr NameBytesKind kKinds[] = {NameBytesKind::kTlsHello, NameBytesKind::kHttp,
                                             NameBytesKind::kDns, NameBytesKind::kDnsTcp,
                                             NameBytesKind::kQuic};
  NameBytes name;
  name.time = {event.header.boottime_ns};
  name.actor = decode_actor(event.header, event.actor);
  AISPM_TRY(name.socket, decode_endpoints(event.socket));
  name.kind = kKinds[event.what - 1];
  AISPM_TRY(name.direction, decode_direction(event.direction));
  name.offset = event.offset;
  name.net_namespace = event.net_namespace;
  name.bytes = text_of(bytes.subspan(sizeof(event)));
  return name;
}

Result<Record> decode_socket_bytes(Bytes bytes) {
  AISPM_TRY(const auto event, copy_whole<aispm_socket_bytes_event>(bytes));
  SocketBytes totals;
  totals.time = {event.header.boottime_ns};
  totals.actor = decode_actor(event.header, event.actor);
  AISPM_TRY(totals.socket, decode_endpoints(event.socket));
  totals.transport = decode_transport(event.socket);
  totals.sent_bytes = event.sent_bytes;
  totals.received_bytes = event.received_bytes;
  if (event.opened_boottime_ns < event.header.boottime_ns)
    totals.duration_us = (event.header.boottime_ns - event.opened_boottime_ns) / 1000;
  totals.is_open = (event.flags & AISPM_SOCKET_IS_OPEN) != 0;
  totals.saw_from_start = (event.flags & AISPM_SOCKET_FROM_START) != 0;
  totals.is_accepted = (event.flags & AISPM_SOCKET_ACCEPTED) != 0;
  return totals;
}

Result<StreamSource> decode_source(std::uint32_t source) {
  if (source != AISPM_STREAM_SOCKET && source != AISPM_STREAM_STDIO)
    return fail(Errc::kInvalid, "stream record of an unknown source");
  return source == AISPM_STREAM_SOCKET ? StreamSource::kPlainSocket : StreamSource::kStdio;
}

Result<Record> decode_stream(Bytes bytes) {
  AISPM_TRY(const auto event, copy_front<aispm_stream_event>(bytes));
  if (event.size == 0 || event.size > AISPM_CHUNK_LEN || bytes.size() != sizeof(event) + event.size)
    return fail(Errc::kInvalid, "stream record with wrong sizes");
  if (event.offset > UINT64_MAX - event.size)
    return fail(Errc::kInvalid, "stream record with an impossible offset");
  StreamChunk chunk;
  chunk.time = {event.header.boottime_ns};
  chunk.actor = decode_actor(event.header);
  chunk.actor.uid = event.uid;
  chunk.actor.pid_namespace = event.pid_namespace;
  chunk.actor.comm = text_of(event.comm);
  AISPM_TRY(const StreamSource source, decode_source(event.source));
  chunk.key = {chunk.actor.id, event.id, event.generation, source};
  AISPM_TRY(chunk.direction, decode_direction(event.direction));
  chunk.offset = event.offset;
  chunk.bytes = text_of(bytes.subspan(sizeof(event)));
  chunk.last_of_call = (event.flags & AISPM_STREAM_LAST_OF_CALL) != 0;
  chunk.from_start = (event.flags & AISPM_STREAM_FROM_START) != 0;
  if (event.socket.family != 0) {
    AISPM_TRY(chunk.socket, decode_endpoints(event.socket));
    chunk.attribution = {AttributionMethod::kSocket, 1.0};
  }
  return chunk;
}

Result<Record> decode_stream_close(Bytes bytes) {
  AISPM_TRY(const auto event, copy_whole<aispm_stream_close_event>(bytes));
  StreamClose close;
  close.time = {event.header.boottime_ns};
  close.actor = decode_actor(event.header);
  AISPM_TRY(const StreamSource source, decode_source(event.source));
  close.key = {close.actor.id, event.id, event.generation, source};
  close.read_bytes = event.read_bytes;
  close.written_bytes = event.written_bytes;
  return close;
}

Result<Record> decode_stdio_found(Bytes bytes) {
  AISPM_TRY(const auto event, copy_whole<aispm_stdio_found_event>(bytes));
  StdioFound found;
  found.time = {event.header.boottime_ns};
  found.actor = decode_actor(event.header, event.actor);
  found.generation = event.generation;
  for (std::size_t i = 0; i < found.ends.size(); ++i) {
    if (event.kind[i] != AISPM_STDIO_PIPE && event.kind[i] != AISPM_STDIO_SOCKET)
      return fail(Errc::kInvalid, "stdio record with an unknown kind of file");
    found.ends[i] = {event.kind[i] == AISPM_STDIO_SOCKET, event.inode[i], event.peer_inode[i]};
  }
  return found;
}

}  // namespace

Transport decode_transport(const aispm_endpoints& socket) {
  return socket.protocol == kUdpProtocol ? Transport::kUdp : Transport::kTcp;
}

Result<Record> decode_net(const aispm_event_header& header, Bytes bytes) {
  switch (header.kind) {
    case AISPM_KIND_NAME_BYTES:
      return decode_name(bytes);
    case AISPM_KIND_SOCKET_BYTES:
      return decode_socket_bytes(bytes);
    case AISPM_KIND_STREAM_DATA:
      return decode_stream(bytes);
    case AISPM_KIND_STREAM_CLOSE:
      return decode_stream_close(bytes);
    case AISPM_KIND_STDIO_FOUND:
      return decode_stdio_found(bytes);
    default:
      return fail(Errc::kInvalid, "record of unknown kind " + std::to_string(header.kind));
  }
}

}  // namespace aispm::sensor
