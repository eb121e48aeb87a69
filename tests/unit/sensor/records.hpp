// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "bpf/events.h"

// Records as the kernel's programs lay them into a ring.
namespace aispm::sensor::records {

inline constexpr std::uint32_t kPid = 4242;
inline constexpr std::uint64_t kStart = 7'000'000'123;

template <typename T>
std::string bytes_of(const T& record, std::string_view more = "") {
  std::string bytes(sizeof(T), '\0');
  std::memcpy(bytes.data(), &record, sizeof(T));
  return bytes.append(more);
}

inline std::span<const std::byte> as_span(std::string_view bytes) {
  return std::as_bytes(std::span(bytes));
}

inline aispm_event_header header(std::uint16_t kind, std::size_t size) {
  aispm_event_header header{};
  header.kind = kind;
  header.size = static_cast<__u32>(size);
  header.boottime_ns = 9'000'000'000;
  header.tgid = kPid;
  header.tid = kPid + 1;
  header.start_boottime_ns = kStart;
  header.cgroup_id = 77;
  return header;
}

inline aispm_actor actor(std::string_view comm = "python3") {
  aispm_actor actor{};
  actor.uid = 1000;
  actor.pid_namespace = 0xf0000001;
  actor.parent_tgid = 1;
  actor.parent_start_boottime_ns = 5;
  std::memcpy(actor.comm, comm.data(), std::min(comm.size(), sizeof(actor.comm)));
  return actor;
}

// `path` as the kernel sends it: names from the file to the root, each ended by NUL.
inline aispm_exec_event exec_event(std::string_view path, std::size_t args_size) {
  aispm_exec_event event{};
  event.header = header(AISPM_KIND_EXEC, offsetof(aispm_exec_event, args) + args_size);
  event.actor = actor();
  event.path_size = static_cast<__u16>(path.size());
  event.args_size = static_cast<__u16>(args_size);
  std::memcpy(event.path, path.data(), path.size());
  return event;
}

inline std::string exec_bytes(aispm_exec_event event, std::string_view args) {
  std::string bytes = bytes_of(event);
  bytes.resize(offsetof(aispm_exec_event, args));
  return bytes.append(args);
}

inline std::string exec(std::string_view path, std::string_view args, std::uint32_t flags = 0) {
  aispm_exec_event event = exec_event(path, args.size());
  event.flags = flags;
  return exec_bytes(event, args);
}

inline std::string exit(std::uint32_t code, std::uint32_t signal = 0) {
  aispm_exit_event event{};
  event.header = header(AISPM_KIND_EXIT, sizeof(event));
  event.actor = actor();
  event.exit_code = code;
  event.signal = signal;
  return bytes_of(event);
}

inline aispm_endpoints endpoints(std::uint16_t port) {
  aispm_endpoints socket{};
  const unsigned char source[] = {127, 0, 0, 1};
  const unsigned char destination[] = {192, 0, 2, 7};
  std::memcpy(socket.source, source, sizeof(source));
  std::memcpy(socket.destination, destination, sizeof(destination));
  socket.source_port = 40000;
  socket.destination_port = port;
  socket.family = AISPM_FAMILY_INET;
  socket.cookie = 99;
  return socket;
}

inline aispm_listen_event listen_event(std::uint16_t port) {
  aispm_listen_event event{};
  event.header = header(AISPM_KIND_LISTEN, sizeof(event));
  event.actor = actor("ollama");
  event.socket = endpoints(0);
  event.socket.source_port = port;
  return event;
}

inline aispm_connect_event connect_event(std::uint16_t port, std::uint32_t outcome) {
  aispm_connect_event event{};
  event.header = header(AISPM_KIND_CONNECT, sizeof(event));
  event.actor = actor();
  event.socket = endpoints(port);
  event.outcome = outcome;
  event.latency_us = 1500;
  return event;
}

// A packet that may name a host; `what` is AISPM_NAME_*.
inline std::string name_bytes(std::uint8_t what, std::uint8_t direction, std::uint16_t port,
                              std::string_view bytes) {
  aispm_name_event event{};
  event.header = header(AISPM_KIND_NAME_BYTES, sizeof(event) + bytes.size());
  event.actor = actor();
  event.socket = endpoints(port);
  event.size = static_cast<__u32>(bytes.size());
  event.what = what;
  event.direction = direction;
  return bytes_of(event, bytes);
}

inline aispm_tls_event tls_event(std::size_t size, std::uint8_t direction, std::uint64_t offset) {
  aispm_tls_event event{};
  event.header = header(AISPM_KIND_TLS_DATA, sizeof(event) + size);
  event.key = {0x7f0000001000, 8'000'000'000};
  event.offset = offset;
  event.socket = endpoints(443);
  event.size = static_cast<__u32>(size);
  event.direction = direction;
  event.flags = AISPM_TLS_LAST_OF_CALL | AISPM_TLS_FROM_START;
  event.library = AISPM_LIBRARY_OPENSSL;
  event.fd = 5;
  event.uid = 1000;
  event.pid_namespace = 0xf0000001;
  std::memcpy(event.comm, "python3", 7);
  return event;
}

inline std::string tls(std::string_view text, std::uint8_t direction, std::uint64_t offset = 0) {
  return bytes_of(tls_event(text.size(), direction, offset), text);
}

inline std::string tls_close(std::uint64_t read_bytes, std::uint64_t written_bytes) {
  aispm_tls_close_event event{};
  event.header = header(AISPM_KIND_TLS_CLOSE, sizeof(event));
  event.key = {0x7f0000001000, 8'000'000'000};
  event.read_bytes = read_bytes;
  event.written_bytes = written_bytes;
  return bytes_of(event);
}

}  // namespace aispm::sensor::records
