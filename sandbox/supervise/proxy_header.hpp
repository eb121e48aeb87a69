// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace aispm::sandbox {

// Who speaks on a connection to the gateway: aispm-run itself (LOCAL) or the agent behind it
// (PROXY).
enum class Speaker { kLauncher, kAgent };

// PROXY protocol version 2 header (binary) with TLVs 0xE0 session id, 0xE1 agent name, 0xE2 trace
// id, 0xE3 "host:port" that this connection is for (each left out when empty). Source:
// https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt section 2.2.
std::string make_proxy_header(Speaker speaker, const std::string& session_id,
                              const std::string& agent, const std::string& trace_id,
                              const std::string& egress_host = "");

}  // namespace aispm::sandbox
