// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

#include "sandbox/apply/steps.hpp"

// The agent's network namespace has loopback and nothing else. Every address is local to it, so the
// kernel itself refuses a connection to 93.184.216.34:443 at once (nobody listens there), and a
// packet socket held outside sees the attempt: what the kernel sent is the evidence, no memory of
// the agent is read, and nothing waits for the supervisor (ADR 0030).
namespace aispm::sandbox {
namespace {

constexpr int kLoopback = 1;  // the first interface of every network namespace
constexpr int kMonitorBytes = 1 << 20;
constexpr std::uint32_t kSnapBytes =
    192;  // enough for "unreachable" with the IPv6 header inside of it

Result<> raise_loopback() {
  UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return fail_errno("socket for loopback");
  ifreq request{};
  std::memcpy(request.ifr_name, "lo", 3);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0)
    return fail(Errc::kDenied,
                "loopback cannot be raised in the new network namespace: " +
                    std::string(std::strerror(errno)) +
                    ". On Ubuntu 23.10 and later AppArmor may restrict user namespaces: install "
                    "packaging/apparmor/aispm-run or set "
                    "sysctl kernel.apparmor_restrict_unprivileged_userns=0",
                errno);
  return {};
}

// `ip route add local default dev lo` (table local), raw.
Result<> route_everything_to_loopback(int netlink, unsigned char family) {
  struct {
    nlmsghdr header;
    rtmsg route;
    rtattr attribute;
    int interface;
  } request{};
  request.header.nlmsg_len = sizeof(request);
  request.header.nlmsg_type = RTM_NEWROUTE;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE;
  request.route.rtm_family = family;
  request.route.rtm_table = RT_TABLE_LOCAL;
  request.route.rtm_protocol = RTPROT_BOOT;
  request.route.rtm_scope = family == AF_INET ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
  request.route.rtm_type = RTN_LOCAL;
  request.attribute.rta_len = RTA_LENGTH(sizeof(int));
  request.attribute.rta_type = RTA_OIF;
  request.interface = kLoopback;
  if (::send(netlink, &request, sizeof(request), 0) < 0)
    return fail_errno("netlink: add the local route");
  std::array<char, 512> answer{};
  const ssize_t size = ::recv(netlink, answer.data(), answer.size(), 0);
  nlmsghdr header{};
  nlmsgerr verdict{};
  if (size < static_cast<ssize_t>(sizeof(header) + sizeof(verdict)))
    return fail_errno("netlink: no answer to the local route");
  std::memcpy(&header, answer.data(), sizeof(header));
  std::memcpy(&verdict, answer.data() + sizeof(header), sizeof(verdict));
  if (header.nlmsg_type != NLMSG_ERROR || (verdict.error != 0 && verdict.error != -EEXIST))
    return fail_errno("netlink: the local route was refused", -verdict.error);
  return {};
}

// Lets through: TCP with RST, or SYN without ACK; UDP; "unreachable". Relayed payload never reaches
// this socket.
constexpr std::uint32_t kTcpBits = 0x16;  // RST, SYN, ACK
constexpr sock_filter kPass = BPF_STMT(BPF_RET | BPF_K, kSnapBytes);
constexpr sock_filter kDrop = BPF_STMT(BPF_RET | BPF_K, 0);
constexpr std::array<sock_filter, 35> kMonitorFilter = {{
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
    BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 4),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 4, 0, 16),
    // IPv4; X becomes the header's length
    BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 1),
    kPass,
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMP, 0, 4),
    BPF_STMT(BPF_LD | BPF_B | BPF_IND, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 3 /* unreachable */, 0, 1),
    kPass,
    kDrop,
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 5),
    BPF_STMT(BPF_LD | BPF_B | BPF_IND, 13),
    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, kTcpBits),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x04 /* RST */, 1, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x02 /* SYN alone */, 0, 1),
    kPass,
    kDrop,
    // IPv6; a header that is none of the three may hide one, so it goes to the reader
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 6, 0, 14),
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 6),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 1),
    kPass,
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 0, 4),
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 40),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1 /* unreachable */, 0, 1),
    kPass,
    kDrop,
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 4),
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 40 + 13),
    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, kTcpBits),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x04 /* RST */, 1, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x02 /* SYN alone */, 0, 1),
    kPass,
    kDrop,
}};

Result<UniqueFd> open_monitor() {
  UniqueFd socket(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket)
    return fail(Errc::kUnsupported, "no packet socket in the new network namespace: " +
                                        std::string(std::strerror(errno)) +
                                        ". The kernel needs CONFIG_PACKET (modprobe af_packet)");
  const sock_fprog program{kMonitorFilter.size(), const_cast<sock_filter*>(kMonitorFilter.data())};
  const int yes = 1;
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0)
    return fail_errno("packet socket: attach the filter");
  if (::setsockopt(socket.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof(yes)) != 0)
    return fail_errno("packet socket: PACKET_IGNORE_OUTGOING (Linux 4.20)");
  // Beyond rmem_max where the caller may; the counter of dropped packets is read at the end either
  // way.
  (void)::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kMonitorBytes,
                     sizeof(kMonitorBytes));
  (void)::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &kMonitorBytes, sizeof(kMonitorBytes));
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = kLoopback;
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
    return fail_errno("packet socket: bind");
  return socket;
}

Result<UniqueFd> open_dns(int family) {
  UniqueFd socket(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail_errno("DNS socket");
  const int yes = 1;
  sockaddr_storage address{};
  socklen_t size = 0;
  if (family == AF_INET) {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_port = htons(53);
    std::memcpy(&address, &any, size = sizeof(any));
    if (::setsockopt(socket.get(), IPPROTO_IP, IP_PKTINFO, &yes, sizeof(yes)) != 0)
      return fail_errno("DNS socket: IP_PKTINFO");
  } else {
    sockaddr_in6 any{};
    any.sin6_family = AF_INET6;
    any.sin6_port = htons(53);
    std::memcpy(&address, &any, size = sizeof(any));
    if (::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes)) != 0 ||
        ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_RECVPKTINFO, &yes, sizeof(yes)) != 0 ||
        // Answers come from the address that was asked, which no interface has.
        ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_FREEBIND, &yes, sizeof(yes)) != 0)
      return fail_errno("DNS socket: IPV6_RECVPKTINFO");
  }
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size) != 0)
    return fail_errno("DNS socket: bind port 53");
  return socket;
}

// One socket for both families where there is IPv6.
Result<UniqueFd> open_dns_tcp(bool has_ip6) {
  UniqueFd socket(
      ::socket(has_ip6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail_errno("DNS over TCP");
  sockaddr_storage address{};
  socklen_t size = sizeof(sockaddr_in);
  if (has_ip6) {
    const int no = 0;
    if (::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no)) != 0)
      return fail_errno("DNS over TCP: IPV6_V6ONLY");
    sockaddr_in6 any{};
    any.sin6_family = AF_INET6;
    any.sin6_port = htons(53);
    std::memcpy(&address, &any, size = sizeof(any));
  } else {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_port = htons(53);
    std::memcpy(&address, &any, size);
  }
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size) != 0)
    return fail_errno("DNS over TCP: bind port 53");
  if (::listen(socket.get(), 16) != 0) return fail_errno("DNS over TCP: listen");
  return socket;
}

Result<UniqueFd> open_proxy_listener() {
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail_errno("proxy listener");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(kProxyPort);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
    return fail_errno("proxy listener: bind");
  if (::listen(socket.get(), 128) != 0) return fail_errno("proxy listener: listen");
  return socket;
}

}  // namespace

Result<NetworkSockets> make_network(bool with_proxy) {
  AISPM_CHECK(raise_loopback());
  UniqueFd netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!netlink) return fail_errno("netlink socket");
  AISPM_CHECK(route_everything_to_loopback(netlink.get(), AF_INET));
  NetworkSockets sockets;
  AISPM_TRY(sockets.monitor, open_monitor());
  AISPM_TRY(sockets.dns4, open_dns(AF_INET));
  if (UniqueFd probe(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0)); probe) {
    AISPM_CHECK(route_everything_to_loopback(netlink.get(), AF_INET6));
    AISPM_TRY(sockets.dns6, open_dns(AF_INET6));
  }
  AISPM_TRY(sockets.dns_tcp, open_dns_tcp(static_cast<bool>(sockets.dns6)));
  if (with_proxy) {
    AISPM_TRY(sockets.proxy, open_proxy_listener());
  }
  return sockets;
}

}  // namespace aispm::sandbox
