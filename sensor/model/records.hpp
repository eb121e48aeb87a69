// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "sdk/core/common/time.hpp"
#include "sdk/core/model/event.hpp"

// What capture saw, decoded: plain values that decode makes and correlate takes. Nothing here
// points into a ring.
namespace aispm::sensor {

using model::ProcessId;

// Facts about a process that the kernel stamps on its records.
struct Actor {
  ProcessId id;
  ProcessId parent;  // zero when the record does not carry it (TLS)
  std::uint32_t tid = 0;
  std::uint32_t uid = 0;
  std::uint64_t cgroup_id = 0;
  std::uint64_t pid_namespace = 0;
  std::string comm;
};

struct Address {
  std::array<std::uint8_t, 16> bytes{};  // network order; IPv4 in the first four
  bool is_v6 = false;
  std::uint16_t port = 0;

  // "192.0.2.1" or RFC 5952 text; an IPv4-mapped IPv6 address reads as IPv4.
  std::string host_text() const;
  bool operator==(const Address&) const = default;
};

struct Endpoints {
  Address source;
  Address destination;
  std::uint64_t cookie = 0;  // SO_COOKIE; equal in Connect and TlsChunk of one socket; 0 = unknown
  bool operator==(const Endpoints&) const = default;
};

struct Exec {
  BootTime time;
  Actor actor;
  std::string exe;
  std::vector<std::string> argv;
  bool argv_truncated = false;
  bool argv_unreadable = false;
};

struct Exit {
  BootTime time;
  Actor actor;
  std::uint32_t exit_code = 0;
  std::uint32_t signal = 0;
};

struct Listen {
  BootTime time;
  Actor actor;
  Endpoints socket;  // source is the address listened on
};

enum class ConnectOutcome : std::uint8_t { kEstablished, kFailed, kPending };

struct Connect {
  BootTime time;  // of the call
  Actor actor;
  Endpoints socket;
  ConnectOutcome outcome = ConnectOutcome::kEstablished;
  std::uint32_t latency_us = 0;
};

enum class Direction : std::uint8_t {
  kRead,
  kWrite
};  // as the process sees it: kRead = it received
enum class TlsLibrary : std::uint8_t { kOpenSsl };

// One TLS connection. `process` + `ssl` + `generation` never repeat on one boot.
struct TlsKey {
  ProcessId process;
  std::uint64_t ssl = 0;         // address of the library's object in that process
  std::uint64_t generation = 0;  // differs when the address is used for another connection
  auto operator<=>(const TlsKey&) const = default;
};

// Up to 16 KiB of plaintext. Chunks of one key and direction arrive in order; a hole between
// `offset` + bytes of one and `offset` of the next is plaintext that was lost (and counted).
struct TlsChunk {
  BootTime time;  // when the call returned
  Actor actor;    // actor.id == key.process; comm is the thread's
  TlsKey key;
  Direction direction = Direction::kRead;
  TlsLibrary library = TlsLibrary::kOpenSsl;
  std::uint64_t offset = 0;  // of bytes[0] since `generation`; 0 = first byte seen
  std::string bytes;
  bool last_of_call = false;  // the last chunk of one SSL_read or SSL_write
  bool from_start = false;  // capture saw the connection from its first byte; false: joined midway
  std::optional<Endpoints>
      socket;   // known once the library did socket I/O itself (not with memory BIOs)
  int fd = -1;  // -1 = unknown
};

struct TlsClose {
  BootTime time;
  Actor actor;
  TlsKey key;
  std::uint64_t read_bytes = 0;  // totals by the kernel's count, lost ones included
  std::uint64_t written_bytes = 0;
};

// Totals since start, by cause: "ring_full.data" -> {records, bytes}. Sent when any of them grew,
// at least every 5 s.
struct Loss {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  bool operator==(const Loss&) const = default;
};
struct LossSnapshot {
  BootTime time;
  std::map<std::string, Loss, std::less<>> causes;
};

using Record = std::variant<Exec, Exit, Listen, Connect, TlsChunk, TlsClose, LossSnapshot>;

}  // namespace aispm::sensor
