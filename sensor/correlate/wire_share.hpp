// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>

#include "sensor/model/records.hpp"

// The arithmetic of coverage: what of the bytes on the wire should have been plaintext, and why
// less of it was seen.
//
// Wire bytes hold more than plaintext: a handshake, and some bytes around each record (RFC 8446
// section 5.2: 5 of header, 1 of content type, 16 of tag; TLS 1.2 also carries 8 of nonce). How
// many records there were is unknown, but one call of the library makes at least one, and 16 KiB
// fill one. So
//
//   framing = kHandshakeBytes + kRecordBytes * max(calls, plaintext / 16 KiB + 1)
//   payload = wire - framing, at least the plaintext captured
//   unseen  = payload - plaintext, nothing when it is within the estimate's error
//
// and the share reported is plaintext / payload, never over 1. For a connection of which nothing
// was seen nothing is known to be framing: all its bytes count, unless every library of the process
// is probed and there are no more bytes than a handshake takes.
namespace aispm::sensor {

// Both directions of a full handshake with certificates and session tickets.
inline constexpr std::uint64_t kHandshakeBytes = 8192;
inline constexpr std::uint64_t kRecordBytes = 30;
inline constexpr std::uint64_t kFullRecordBytes = 16384;
// An estimate's error: unseen bytes below this, or below plaintext / kErrorDivisor, are none.
inline constexpr std::uint64_t kErrorBytes = 4096;
inline constexpr std::uint64_t kErrorDivisor = 32;

// Plaintext captured.
struct PlainUse {
  std::uint64_t bytes = 0;
  std::uint64_t calls = 0;
  std::uint64_t lost_bytes = 0;           // seen go by, but not captured
  GapCause lost_cause = GapCause::kNone;  // the newest
  bool is_seen = false;
  bool joined_midway = false;
  TlsLibrary library = TlsLibrary::kOpenSsl;

  void add(const PlainUse& other);
  void remove(const PlainUse& other);
};

// One connection.
struct WireUse {
  std::uint64_t wire_bytes = 0;
  bool is_quic = false;
  bool is_older = false;  // than capture
  PlainUse plain;
};

// What is known of a TLS library in a process.
struct TlsLibraryState {
  bool is_probed = false;
  std::string reason;  // why not
};
using TlsLibraryStates = std::map<std::string, TlsLibraryState>;

struct CoverageCause {
  std::string library;
  std::string reason;
  auto operator<=>(const CoverageCause&) const = default;
};

struct WireShare {
  std::uint64_t payload_bytes = 0;
  std::uint64_t unseen_bytes = 0;  // part of payload_bytes
};
WireShare share_of(const WireUse& use, const TlsLibraryStates& libraries);

// Why some of it was not seen.
CoverageCause cause_of(const WireUse& use, const TlsLibraryStates& libraries);

}  // namespace aispm::sensor
