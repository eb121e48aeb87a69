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
#include "sensor/model/enforce_tables.hpp"

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

// Arguments of one process that are kept: an event with more is refused by the collector.
inline constexpr std::size_t kMaxArguments = 1024;
// Leaves at most so many. True when there were more.
bool cut_arguments(std::vector<std::string>& arguments);

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

enum class Transport : std::uint8_t { kTcp, kUdp };

struct Listen {
  BootTime time;
  Actor actor;
  Endpoints socket;  // source is the address listened on
  Transport transport = Transport::kTcp;
};

enum class ConnectOutcome : std::uint8_t { kEstablished, kFailed, kPending };

struct Connect {
  BootTime time;  // of the call
  Actor actor;
  Endpoints socket;
  ConnectOutcome outcome = ConnectOutcome::kEstablished;
  std::uint32_t latency_us = 0;
  Transport transport = Transport::kTcp;  // kUdp: the first datagram to that destination
};

enum class Direction : std::uint8_t {
  kRead,
  kWrite
};  // as the process sees it: kRead = it received
enum class TlsLibrary : std::uint8_t { kOpenSsl, kGnuTls, kNss, kBoringSsl, kGo, kAwsLc };
// "openssl", "gnutls", "nss", "boringssl", "go", "aws-lc".
std::string_view name_of(TlsLibrary library);

// Where captured bytes come from.
enum class StreamSource : std::uint8_t {
  kTls,          // plaintext of a TLS library
  kPlainSocket,  // a TCP socket that is not encrypted (a local model server, an HTTP MCP server)
  kStdio,        // a child's stdin and stdout: pipes or a socketpair
};

// One byte stream of both directions, as one process has it. Never repeats on one boot.
struct StreamKey {
  ProcessId process;  // kStdio: the child
  // kTls: address of the library's object in that process; kPlainSocket: socket cookie; kStdio:
  // inode of the child's stdin.
  std::uint64_t ssl = 0;
  std::uint64_t generation = 0;  // differs when `ssl` is used for another connection
  StreamSource source = StreamSource::kTls;
  auto operator<=>(const StreamKey&) const = default;
};
using TlsKey = StreamKey;

// How a stream was tied to its socket.
enum class AttributionMethod : std::uint8_t {
  kNone,
  kSocket,          // the library did I/O on that socket within the call
  kThreadSequence,  // the same thread's next or last I/O outside of the call
  kSni,             // by the name that the process asked for
};
struct Attribution {
  AttributionMethod method = AttributionMethod::kNone;
  double confidence = 0;  // 0..1
  bool operator==(const Attribution&) const = default;
};

// Why plaintext is missing.
enum class GapCause : std::uint8_t {
  kNone,
  kRingFull,   // capture was too slow
  kReadFault,  // its page could not be read
  kHidden,     // sent from a file or by the kernel (SSL_sendfile, kTLS): it was in no buffer
};

// Up to 16 KiB of plaintext. Chunks of one key and direction arrive in order; a hole between
// `offset` + bytes of one and `offset` of the next is plaintext that was lost (and counted).
struct StreamChunk {
  BootTime time;  // when the call returned
  Actor actor;    // actor.id == key.process; comm is the thread's
  StreamKey key;
  Direction direction = Direction::kRead;     // as actor.id sees it
  TlsLibrary library = TlsLibrary::kOpenSsl;  // kTls only
  std::uint64_t offset = 0;                   // of bytes[0] since `generation`; 0 = first byte seen
  // Bytes right before `offset` that are missing: the hole's size and its newest cause.
  std::uint64_t gap_bytes = 0;
  GapCause gap_cause = GapCause::kNone;
  std::string bytes;
  bool last_of_call = false;  // the last chunk of one SSL_read or SSL_write
  bool from_start = false;  // capture saw the connection from its first byte; false: joined midway
  // kTls: known once the library did socket I/O itself, or by `attribution`. kPlainSocket: always.
  std::optional<Endpoints> socket;  // source is the process's own end
  Attribution attribution;          // of `socket`
  int fd = -1;                      // -1 = unknown
  ProcessId peer;  // kStdio: who holds the other ends (the parent, as a rule); zero = unknown
};
using TlsChunk = StreamChunk;

// The stream ended.
struct StreamClose {
  BootTime time;
  Actor actor;
  StreamKey key;
  std::uint64_t read_bytes = 0;  // totals by the kernel's count, lost ones included
  std::uint64_t written_bytes = 0;
  std::uint64_t read_lost = 0;  // of these, what no chunk carried
  std::uint64_t written_lost = 0;
};
using TlsClose = StreamClose;

// What a socket carried since it was opened: at its end, and now and then while it lives.
struct SocketBytes {
  BootTime time;
  Actor actor;
  Endpoints socket;  // cookie set
  Transport transport = Transport::kTcp;
  std::uint64_t sent_bytes = 0;  // payload of the transport, without retransmission
  std::uint64_t received_bytes = 0;
  std::uint64_t duration_us = 0;
  bool is_open = false;         // an interim total
  bool saw_from_start = false;  // false: the connection is older than capture
  bool is_accepted = false;     // the peer connected to us
};

enum class NameSource : std::uint8_t { kDns, kSni, kQuic, kHttpHost };
std::string_view name_of(NameSource source);  // "dns", "sni", "quic", "http_host"

// A process named a host. kDns: `addresses` are the answer. Else `socket` is the connection that
// carried the name.
struct SeenName {
  BootTime time;
  Actor actor;
  std::string name;  // lower case, without the final dot
  NameSource source = NameSource::kSni;
  Transport transport = Transport::kTcp;
  std::optional<Endpoints> socket;
  std::vector<Address> addresses;   // ports are 0
  std::uint32_t ttl_seconds = 0;    // kDns
  std::uint32_t net_namespace = 0;  // inode of the socket's; 0 = unknown
  std::string alpn;                 // first protocol offered
  bool encrypted_hello = false;
  bool is_doh = false;
};

// First bytes of a connection, which may name a host: see NameTracker.
enum class NameBytesKind : std::uint8_t { kTlsHello, kHttp, kDns, kDnsTcp, kQuic };
struct NameBytes {
  BootTime time;
  Actor actor;
  Endpoints socket;
  NameBytesKind kind = NameBytesKind::kTlsHello;
  Direction direction = Direction::kWrite;
  std::uint32_t offset = 0;         // of bytes[0] in the stream; 0 for datagrams
  std::uint32_t net_namespace = 0;  // inode of the socket's; 0 = unknown
  std::string bytes;                // of one packet, at most 4 KiB
};

// A program was started whose stdin and stdout lead to another process.
struct StdioFound {
  struct End {
    bool is_socket = false;  // else a pipe
    std::uint64_t inode = 0;
    std::uint64_t peer_inode = 0;  // of the socket at the other end; 0 = unknown
  };
  BootTime time;
  Actor actor;
  std::uint64_t generation = 0;  // as in its StreamKey
  std::array<End, 2> ends;       // stdin, stdout
};

// A TLS library that a process maps, and whether its plaintext can be seen. Sent when it becomes
// known, and again when it changes.
struct TlsLibraryFact {
  BootTime time;
  ProcessId process;
  std::string library;  // "openssl", "boringssl", "gnutls", "nss", "go", "rustls-aws-lc", ...
  std::string path;
  bool is_probed = false;
  std::string reason;  // why not, for people: "no fingerprint", "stripped", ...; empty when probed
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

// A process of an agent started another one, which belongs to the agent too.
struct AgentFork {
  BootTime time;
  Actor actor;
  ProcessId child;
  std::uint32_t agent = 0;  // number given by AgentTrees
};

// A process of an agent opened a regular file: told once for each agent, file and mode.
struct FileOpen {
  BootTime time;
  Actor actor;
  std::uint32_t agent = 0;
  std::string path;  // as the process sees it, links followed
  std::uint64_t inode = 0;
  std::uint32_t device = 0;
  std::uint64_t size_bytes = 0;
  bool writes = false;
  bool created = false;
};

// A process of an agent asked for a socket below TCP and UDP.
struct RawSocket {
  BootTime time;
  Actor actor;
  std::uint32_t agent = 0;
  std::uint32_t family = 0;  // AF_*
  std::uint32_t type = 0;    // SOCK_*
  std::uint32_t protocol = 0;
};

// `actor` sent this process a signal that ends or stops it.
struct SignalToUs {
  BootTime time;
  Actor actor;
  std::uint32_t signal = 0;
};

// Something that rules forbid was tried. The kernel folds repetitions.
struct EnforcedAct {
  BootTime time;
  Actor actor;
  RuleMask rules;         // that decided
  std::uint32_t act = 0;  // AISPM_ACT_*
  bool was_denied = false;
  bool was_killed = false;
  std::uint64_t count = 1;
  std::optional<Address> destination;
  std::string name;          // of the server, program or file
  std::uint32_t detail = 0;  // AISPM_ACT_SOCKET: family << 16 | type
};

using Record = std::variant<Exec, Exit, Listen, Connect, StreamChunk, StreamClose, LossSnapshot,
                            SocketBytes, SeenName, NameBytes, StdioFound, TlsLibraryFact, AgentFork,
                            FileOpen, RawSocket, SignalToUs, EnforcedAct>;

}  // namespace aispm::sensor
