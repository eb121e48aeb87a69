// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace aispm::sandbox {

// Who speaks on a connection to the gateway: aispm-run itself (LOCAL) or the agent behind it
// (PROXY).
enum class Speaker { kLauncher, kAgent };

// A run that another one runs for, of the same user.
struct ParentRun {
  std::string session_id;
  std::string agent;  // without the user
};

// What a header says besides who the run is.
struct HeaderExtras {
  std::string egress_host;         // "host:port" that this connection is for
  std::vector<ParentRun> parents;  // for whom it runs, the first of all first
  std::string parent_session;      // whom it is to run for, before the gateway has said more
};

// PROXY protocol version 2 header (binary) with TLVs 0xE0 session id, 0xE1 agent name, 0xE2 trace
// id, 0xE3 host, 0xE4 "SESSION AGENT" of each parent, 0xE5 the parent's session (each left out when
// empty). Source: https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt section 2.2.
std::string make_proxy_header(Speaker speaker, const std::string& session_id,
                              const std::string& agent, const std::string& trace_id,
                              const HeaderExtras& extras = {});

}  // namespace aispm::sandbox
