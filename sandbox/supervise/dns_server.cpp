// SPDX-License-Identifier: Apache-2.0
#include "sandbox/supervise/dns_server.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

#include "sandbox/supervise/dns.hpp"

namespace aispm::sandbox {
namespace {

constexpr std::size_t kMaxDatagramBytes = 4096;

// Turns "arrived at this address" into "send from this address", in place.
void answer_from_there(msghdr& header, int family) {
  for (cmsghdr* control = CMSG_FIRSTHDR(&header); control != nullptr;
       control = CMSG_NXTHDR(&header, control)) {
    if (family == AF_INET && control->cmsg_level == IPPROTO_IP &&
        control->cmsg_type == IP_PKTINFO) {
      in_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(control), sizeof(info));
      info.ipi_spec_dst = info.ipi_addr;
      info.ipi_ifindex = 0;
      std::memcpy(CMSG_DATA(control), &info, sizeof(info));
    }
  }
}

}  // namespace

std::optional<std::string> refuse_dns(int socket, int family) {
  std::array<std::uint8_t, kMaxDatagramBytes> datagram{};
  alignas(cmsghdr) std::array<char, 256> control{};
  sockaddr_storage peer{};
  iovec part{datagram.data(), datagram.size()};
  msghdr header{};
  header.msg_name = &peer;
  header.msg_namelen = sizeof(peer);
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  const ssize_t size = ::recvmsg(socket, &header, MSG_DONTWAIT);
  if (size < 0) return std::nullopt;
  auto query = parse_dns_query({datagram.data(), static_cast<std::size_t>(size)});
  if (!query) return "(not a DNS query)";
  answer_from_there(header, family);
  part = {query->refusal.data(), query->refusal.size()};
  (void)::sendmsg(socket, &header,
                  MSG_DONTWAIT | MSG_NOSIGNAL);  // an asker that is gone needs no answer
  return std::move(query->name);
}

}  // namespace aispm::sandbox
