// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sdk/core/common/result.hpp"
#include "sdk/core/common/unique_fd.hpp"

namespace aispm::net {

// "127.0.0.1:8088", "[::1]:8088" -> address and port. kInvalid says what is allowed.
struct Endpoint {
  std::string address;
  std::uint16_t port = 0;
};
Result<Endpoint> parse_endpoint(const std::string& text);

// `count` listening sockets on one port that share its connections (SO_REUSEPORT when more than
// one). Port 0: any free one, the same for all. kUnavailable with the address when it is taken,
// also when another process would share it.
Result<std::vector<UniqueFd>> listen_tcp(const Endpoint& endpoint, unsigned count);
std::uint16_t local_port(const UniqueFd& socket);

// A listening Unix socket that every user may connect to; makes its folder (0755). Replaces a
// socket that nobody serves; kUnavailable when somebody does.
Result<UniqueFd> listen_unix(const std::string& path);

struct PeerUser {
  std::uint32_t uid = 0;
  std::string name;  // "alice", or "uid-1000" when the host has no name for it
};
// Who connected to a Unix socket, as the kernel says (SO_PEERCRED).
Result<PeerUser> peer_user(int socket);

}  // namespace aispm::net
