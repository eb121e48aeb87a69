// SPDX-License-Identifier: Apache-2.0
#include "gateway/net/proxy_header.hpp"

#include <algorithm>
#include <cstdint>

#include "sdk/core/common/host_rule.hpp"

namespace aispm::net {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kSignature = "\x0D\x0A\x0D\x0A\x00\x0D\x0A\x51\x55\x49\x54\x0A"sv;
constexpr std::size_t kFixedBytes = 16;
constexpr std::uint8_t kLocal = 0x20;
constexpr std::uint8_t kProxy = 0x21;
constexpr std::uint8_t kTlvSession = 0xE0;
constexpr std::uint8_t kTlvAgent = 0xE1;
constexpr std::uint8_t kTlvTrace = 0xE2;
constexpr std::uint8_t kTlvEgress = 0xE3;
constexpr std::uint8_t kTlvRunsFor = 0xE4;
constexpr std::uint8_t kTlvParent = 0xE5;

std::uint8_t byte_at(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint8_t>(bytes[at]);
}

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }
char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// Takes one TLV's value into `field`, once.
Result<> take(std::string& field, std::string_view value, bool valid, const char* what) {
  if (!field.empty())
    return fail(Errc::kInvalid, std::string("PROXY header: ") + what + " is given twice");
  if (!valid) return fail(Errc::kInvalid, std::string("PROXY header: bad ") + what);
  field = value;
  return {};
}

// "SESSION AGENT"
Result<> take_run(std::string_view value, std::vector<ProxyHeader::Run>& runs) {
  constexpr std::size_t kUuidBytes = 36;
  const std::string_view session = value.substr(0, kUuidBytes);
  const bool is_run = value.size() > kUuidBytes && value[kUuidBytes] == ' ' && is_uuid(session) &&
                      is_agent_name(value.substr(kUuidBytes + 1));
  if (!is_run) return fail(Errc::kInvalid, "PROXY header: bad run to run for");
  if (runs.size() >= kMaxRunParents)
    return fail(Errc::kInvalid, "PROXY header: too many runs to run for");
  runs.push_back({std::string(session), std::string(value.substr(kUuidBytes + 1))});
  return {};
}

Result<> parse_tlvs(std::string_view rest, ProxyHeader& header) {
  while (!rest.empty()) {
    if (rest.size() < 3) return fail(Errc::kInvalid, "PROXY header: cut TLV");
    const std::uint8_t type = byte_at(rest, 0);
    const std::size_t size = byte_at(rest, 1) * 256U + byte_at(rest, 2);
    if (rest.size() - 3 < size)
      return fail(Errc::kInvalid, "PROXY header: TLV is longer than the header");
    const std::string_view value = rest.substr(3, size);
    rest.remove_prefix(3 + size);
    if (type == kTlvSession)
      AISPM_CHECK(take(header.session_id, value, is_uuid(value), "session id"));
    if (type == kTlvAgent)
      AISPM_CHECK(take(header.agent, value, is_agent_name(value), "agent name"));
    if (type == kTlvTrace)
      AISPM_CHECK(take(header.trace_id, value, is_trace_id(value), "trace id"));
    if (type == kTlvEgress)
      AISPM_CHECK(take(header.egress, value, parse_authority(value, 0).has_value(), "host"));
    if (type == kTlvRunsFor) AISPM_CHECK(take_run(value, header.parents));
    if (type == kTlvParent)
      AISPM_CHECK(take(header.parent, value, is_uuid(value), "parent's session id"));
    // Other types (ALPN, NOOP, CRC32C, ...) say nothing about identity and are skipped, as the
    // protocol demands.
  }
  const auto lower = [](std::string& text) {
    std::transform(text.begin(), text.end(), text.begin(), to_lower);
  };
  lower(header.session_id);
  lower(header.parent);
  for (ProxyHeader::Run& run : header.parents) lower(run.session_id);
  return {};
}

// Bytes of addresses in front of the TLVs, by family and transport.
Result<std::size_t> address_bytes(std::uint8_t family) {
  switch (family) {
    case 0x00:
      return 0;
    case 0x11:
    case 0x12:
      return 12;
    case 0x21:
    case 0x22:
      return 36;
    case 0x31:
    case 0x32:
      return 216;
    default:
      return fail(Errc::kInvalid, "PROXY header: unknown address family");
  }
}

}  // namespace

Result<std::optional<ParsedProxyHeader>> parse_proxy_header(std::string_view bytes) {
  const std::size_t seen = std::min(bytes.size(), kSignature.size());
  if (bytes.substr(0, seen) != kSignature.substr(0, seen))
    return fail(Errc::kInvalid, "PROXY header: no signature");
  if (bytes.size() < kFixedBytes) return std::nullopt;
  const std::uint8_t command = byte_at(bytes, 12);
  if (command != kLocal && command != kProxy)
    return fail(Errc::kInvalid, "PROXY header: unknown version or command");
  AISPM_TRY(const std::size_t addresses, address_bytes(byte_at(bytes, 13)));
  const std::size_t size = byte_at(bytes, 14) * 256U + byte_at(bytes, 15);
  if (kFixedBytes + size > kMaxProxyHeaderBytes)
    return fail(Errc::kTooLarge, "PROXY header: longer than 1024 bytes");
  if (size < addresses) return fail(Errc::kInvalid, "PROXY header: too short for its addresses");
  if (bytes.size() < kFixedBytes + size) return std::nullopt;
  ParsedProxyHeader parsed;
  parsed.header.is_local = command == kLocal;
  parsed.size_bytes = kFixedBytes + size;
  AISPM_CHECK(parse_tlvs(bytes.substr(kFixedBytes + addresses, size - addresses), parsed.header));
  return parsed;
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !is_hex(to_lower(text[i]))) return false;
  }
  return true;
}

bool is_agent_name(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           "._-/@"sv.find(c) != std::string_view::npos;
  };
  return !text.empty() && text.size() <= 128 && std::all_of(text.begin(), text.end(), allowed);
}

bool is_trace_id(std::string_view text) {
  return text.size() == 32 && std::all_of(text.begin(), text.end(), is_hex) &&
         text.find_first_not_of('0') != std::string_view::npos;
}

}  // namespace aispm::net
