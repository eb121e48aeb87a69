// SPDX-License-Identifier: Apache-2.0
#include "sensor/correlate/wire_share.hpp"

#include <algorithm>

namespace aispm::sensor {
namespace {

bool is_all_probed(const TlsLibraryStates& libraries) {
  return !libraries.empty() && std::all_of(libraries.begin(), libraries.end(),
                                           [](const auto& one) { return one.second.is_probed; });
}

std::string loss_text(GapCause cause) {
  switch (cause) {
    case GapCause::kRingFull:
      return "ring full";
    case GapCause::kReadFault:
      return "memory not readable";
    case GapCause::kHidden:
      return "sent by the kernel (kTLS or sendfile)";
    case GapCause::kNone:
      break;
  }
  return "lost in capture";
}

}  // namespace

void PlainUse::add(const PlainUse& other) {
  bytes += other.bytes;
  calls += other.calls;
  lost_bytes += other.lost_bytes;
  if (other.lost_cause != GapCause::kNone) lost_cause = other.lost_cause;
  if (!other.is_seen) return;
  library = other.library;
  is_seen = true;
  joined_midway |= other.joined_midway;
}

void PlainUse::remove(const PlainUse& other) {
  bytes -= std::min(bytes, other.bytes);
  calls -= std::min(calls, other.calls);
  lost_bytes -= std::min(lost_bytes, other.lost_bytes);
}

WireShare share_of(const WireUse& use, const TlsLibraryStates& libraries) {
  const PlainUse& plain = use.plain;
  if (!plain.is_seen) {
    const bool is_only_handshake =
        !use.is_quic && use.wire_bytes <= kHandshakeBytes && is_all_probed(libraries);
    const std::uint64_t bytes = is_only_handshake ? 0 : use.wire_bytes;
    return {bytes, bytes};
  }
  const std::uint64_t records = std::max(plain.calls, plain.bytes / kFullRecordBytes + 1);
  const std::uint64_t framing = kHandshakeBytes + kRecordBytes * records;
  const std::uint64_t payload =
      std::max(use.wire_bytes - std::min(use.wire_bytes, framing), plain.bytes);
  // What capture counted as lost is unseen, however small.
  const std::uint64_t unseen =
      std::max(payload - plain.bytes, std::min(plain.lost_bytes, kErrorBytes));
  const std::uint64_t error = std::max(kErrorBytes, plain.bytes / kErrorDivisor);
  if (plain.lost_bytes == 0 && unseen <= error) return {plain.bytes, 0};
  return {plain.bytes + unseen, unseen};
}

CoverageCause cause_of(const WireUse& use, const TlsLibraryStates& libraries) {
  if (use.is_quic) return {"quic", "not decrypted"};
  if (use.plain.is_seen) {
    std::string library(name_of(use.plain.library));
    if (use.plain.lost_bytes > 0) return {std::move(library), loss_text(use.plain.lost_cause)};
    if (use.plain.joined_midway || use.is_older) return {std::move(library), "joined midway"};
    // Such as plaintext that went through the kernel (kTLS).
    const auto found = libraries.find(library);
    const bool has_reason = found != libraries.end() && !found->second.reason.empty();
    return {std::move(library), has_reason ? found->second.reason : "not all plaintext seen"};
  }
  for (const auto& [library, state] : libraries)
    if (!state.is_probed) return {library, state.reason.empty() ? "not probed" : state.reason};
  if (libraries.empty()) return {"unknown", "no TLS library recognised"};
  const std::string library = libraries.size() == 1 ? libraries.begin()->first : "unknown";
  return {library, use.is_older ? "joined midway" : "no plaintext seen"};
}

}  // namespace aispm::sensor
