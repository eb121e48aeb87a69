// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/ip/address.hpp>

namespace aispm::net {

// True for addresses of the public internet. Everything that can reach this host or its neighbours
// is not: unspecified, loopback, RFC 1918, carrier NAT (100.64/10), link-local (with the cloud
// metadata services), unique-local, documentation, benchmark, multicast, reserved, broadcast, and
// IPv6 forms that embed an IPv4 address (mapped, 6to4, NAT64, Teredo). Checked on the address
// actually connected to, after DNS. Source: IANA special-purpose registries (RFC 6890).
bool is_public_address(const boost::asio::ip::address& address);

}  // namespace aispm::net
