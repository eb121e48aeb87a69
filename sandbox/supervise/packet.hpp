// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "sandbox/model/denial.hpp"

namespace aispm::sandbox {

// Reads one IP packet (from its IP header, possibly cut) seen on the sandbox's loopback and says
// what the agent was refused:
//  - a TCP SYN to an address that is not loopback (port 53 excepted, as below), or the reset that
//  answers a SYN to a loopback port where nobody listens;
//  - a UDP datagram to an address that is not loopback (port 53 excepted: parse_dns_query names
//  what was asked),
//    or the ICMP "port unreachable" that answers one to loopback.
// Nothing for every other packet. Pure; any bytes are safe.
std::optional<Denial> parse_packet(std::span<const std::uint8_t> packet);

}  // namespace aispm::sandbox
