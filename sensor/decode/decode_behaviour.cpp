// SPDX-License-Identifier: Apache-2.0
#include "sensor/decode/parts.hpp"

namespace aispm::sensor {
namespace {

Result<Record> decode_fork(Bytes bytes) {
  AISPM_TRY(const auto event, copy_whole<aispm_agent_fork_event>(bytes));
  return AgentFork{{event.header.boottime_ns},
                   decode_actor(event.header),
                   {event.child_tgid, BootTime{event.child_start_boottime_ns}},
                   event.agent};
}

Result<Record> decode_open(Bytes bytes) {
  constexpr std::size_t kFixed = offsetof(aispm_file_open_event, path);
  if (bytes.size() < kFixed) return fail(Errc::kInvalid, "file record is cut");
  aispm_file_open_event event{};
  std::memcpy(&event, bytes.data(), kFixed);
  if (event.path_size > AISPM_PATH_LEN || bytes.size() != kFixed + event.path_size)
    return fail(Errc::kInvalid, "file record with wrong sizes");
  FileOpen open;
  open.time = {event.header.boottime_ns};
  open.actor = decode_actor(event.header, event.actor);
  open.agent = event.agent;
  open.path =
      join_path(text_of(bytes.subspan(kFixed)), (event.flags & AISPM_OPEN_PATH_TRUNCATED) != 0);
  open.inode = event.inode;
  open.device = event.device;
  open.size_bytes = event.size_bytes;
  open.writes = (event.flags & AISPM_OPEN_WRITE) != 0;
  open.created = (event.flags & AISPM_OPEN_CREATED) != 0;
  return open;
}

Result<Record> decode_raw_socket(Bytes bytes) {
  AISPM_TRY(const auto event, copy_whole<aispm_raw_socket_event>(bytes));
  return RawSocket{{event.header.boottime_ns},
                   decode_actor(event.header, event.actor),
                   event.agent,
                   event.family,
                   event.type,
                   event.protocol};
}

Result<Record> decode_signal(Bytes bytes) {
  AISPM_TRY(const auto event, copy_whole<aispm_signal_event>(bytes));
  return SignalToUs{
      {event.header.boottime_ns}, decode_actor(event.header, event.actor), event.signal};
}

}  // namespace

Result<Record> decode_behaviour(const aispm_event_header& header, Bytes bytes) {
  switch (header.kind) {
    case AISPM_KIND_AGENT_FORK:
      return decode_fork(bytes);
    case AISPM_KIND_FILE_OPEN:
      return decode_open(bytes);
    case AISPM_KIND_RAW_SOCKET:
      return decode_raw_socket(bytes);
    default:
      return decode_signal(bytes);
  }
}

}  // namespace aispm::sensor
