// SPDX-License-Identifier: Apache-2.0
#include "gateway/net/own_addresses.hpp"

#include <ifaddrs.h>
#include <netinet/in.h>

#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/ip/address_v6.hpp>
#include <cstring>

#include "sdk/core/common/c_ptr.hpp"

namespace aispm::net {
namespace {

using boost::asio::ip::address;
using boost::asio::ip::address_v4;
using boost::asio::ip::address_v6;

address address_of(const sockaddr& socket_address) {
  if (socket_address.sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &socket_address, sizeof v4);
    return address_v4(ntohl(v4.sin_addr.s_addr));
  }
  sockaddr_in6 v6{};
  std::memcpy(&v6, &socket_address, sizeof v6);
  address_v6::bytes_type bytes;
  std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
  return address_v6(bytes);
}

}  // namespace

bool is_own_address(const address& wanted) {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return true;
  const CPtr<ifaddrs, ::freeifaddrs> owner(list);
  for (const ifaddrs* one = list; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr) continue;
    const int family = one->ifa_addr->sa_family;
    if ((family == AF_INET || family == AF_INET6) && address_of(*one->ifa_addr) == wanted)
      return true;
  }
  return false;
}

}  // namespace aispm::net
