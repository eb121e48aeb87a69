// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

namespace aispm::sandbox {

// Reads one datagram of the agent's port 53, whatever address it was sent to, and answers REFUSED
// from that address. Gives the name asked for, "(not a DNS query)" when it was none; nothing when
// no datagram waits.
std::optional<std::string> refuse_dns(int socket, int family);

}  // namespace aispm::sandbox
