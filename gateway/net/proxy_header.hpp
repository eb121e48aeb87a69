// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/result.hpp"

namespace aispm::net {

// What aispm-run says in front of a relayed connection: PROXY protocol version 2, binary, with TLVs
// of our own (0xE0 session id, 0xE1 agent name, 0xE2 trace id, 0xE3 host, 0xE4 a run that this one
// runs for, 0xE5 the run that was named as such). Source:
// https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt section 2.2.
struct ProxyHeader {
  // Another run of the same user: "SESSION AGENT".
  struct Run {
    std::string session_id;
    std::string agent;
  };

  bool is_local = false;   // command LOCAL: aispm-run itself; else PROXY: bytes of an agent follow
  std::string session_id;  // UUID in lower case, or empty
  std::string agent;       // 1..128 of [A-Za-z0-9._-/@]; empty when not given
  std::string trace_id;    // 32 lower-case hex digits, or empty
  std::string egress;      // "host:port" that this connection is for, or empty
  std::vector<Run> parents;  // for whom it runs, the first of all first; at most kMaxRunParents
  std::string parent;        // session id of the run that aispm-run was told to run for, or empty
};

// So many names fit into a header.
inline constexpr std::size_t kMaxRunParents = 3;

inline constexpr std::size_t kMaxProxyHeaderBytes = 16 + 1024;

struct ParsedProxyHeader {
  ProxyHeader header;
  std::size_t size_bytes = 0;  // of the header; what follows is the connection's own data
};

// Reads a header from the start of `bytes`. Nothing when more bytes are needed (never when
// kMaxProxyHeaderBytes are there). kInvalid: wrong signature, version, command, family, a bad or
// repeated TLV; kTooLarge: longer than the limit.
Result<std::optional<ParsedProxyHeader>> parse_proxy_header(std::string_view bytes);

// "a-z 0-9" UUID text in any case, 8-4-4-4-12.
bool is_uuid(std::string_view text);
bool is_agent_name(std::string_view text);
// 32 lower-case hex digits, not all zero (W3C trace context).
bool is_trace_id(std::string_view text);

}  // namespace aispm::net
