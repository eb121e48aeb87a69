// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/ip/address.hpp>

namespace aispm::net {

// Whether an interface of this host has the address now. True also when that cannot be told.
bool is_own_address(const boost::asio::ip::address& address);

}  // namespace aispm::net
