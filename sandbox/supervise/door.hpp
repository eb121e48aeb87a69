// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sdk/core/common/host_rule.hpp"

namespace aispm::sandbox {

// Where the agent knocked: its proxy address, or port 80 or 443 of a name's synthetic address.
enum class Door { kProxy, kPlain, kTls };

// What may leave, as this run was launched. The gateway decides again, by its operator's rules.
struct DoorPolicy {
  bool is_online = false;                  // there is a gateway
  std::vector<HostRule> allow;             // of the profile
  std::vector<std::string> gateway_hosts;  // names that the gateway itself speaks for
  std::string profile;                     // named in refusals
};

// What the first bytes of a connection ask for.
struct Knock {
  enum class Ask {
    kMore,     // too few bytes to tell
    kGateway,  // the gateway's own routes: carried as it is
    kHost,     // `host`, through the gateway
    kRefused,  // `status`, `reason`
  };
  Ask ask = Ask::kMore;
  HostPort host;  // as far as known
  int status = 403;
  std::string reason;  // in words, for the agent and the event
};

// At most this much is read before a connection is refused: a head, or a ClientHello with its
// record headers.
inline constexpr std::size_t kMaxFirstBytes = 68 * 1024;

// Decides from the first bytes. `name` is the name behind the synthetic address (empty at the proxy
// door): what the connection says must agree with it. Requests are parsed strictly; what two
// parsers could read differently is refused with 400. Pure.
Knock decide(Door door, const std::string& name, std::string_view first, const DoorPolicy& policy);

// The refusal in the door's own words: an HTTP reply whose reason phrase, body (JSON) and
// AISPM-Denied header say why, or a fatal TLS alert (access_denied).
std::string refusal_bytes(Door door, const Knock& knock);

// "HTTP/1.1 200 ..." -> 200, and the value of its AISPM-Denied header. Status 0: not an HTTP reply.
struct ReplyHead {
  int status = 0;
  std::string denied;
};
// Of our own gateway, up to and with its empty line.
ReplyHead read_reply_head(std::string_view head);

}  // namespace aispm::sandbox
