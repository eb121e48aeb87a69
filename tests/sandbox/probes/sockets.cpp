// SPDX-License-Identifier: Apache-2.0
// Attempts 45 to 47, 55 and 62 to 69: sockets and the network.
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "tests/sandbox/probes/probe.hpp"

namespace aispm::probes {
namespace {

using std::string;

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

Address internet(const string& host, std::uint16_t port) {
  Address address;
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  if (::inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&address.storage, &v4, address.size = sizeof(v4));
  } else if (::inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(&address.storage, &v6, address.size = sizeof(v6));
  }
  return address;
}

// Connects, waiting 5 s at most: a timeout is no refusal.
long connected(const Address& address, int type) {
  const int fd = ::socket(address.get()->sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  int error = ::connect(fd, address.get(), address.size) == 0 ? 0 : errno;
  if (error == EINPROGRESS) {
    pollfd wait{fd, POLLOUT, 0};
    socklen_t size = sizeof(error);
    if (::poll(&wait, 1, 5000) <= 0)
      error = ETIMEDOUT;
    else
      ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  }
  ::close(fd);
  errno = error;
  return error == 0 ? 0 : -1;
}

long tcp(const string& host, int port) {
  return connected(internet(host, static_cast<std::uint16_t>(port)), SOCK_STREAM);
}

// A datagram, and whether anything but a refusal comes back within a second.
long udp(const string& host, int port) {
  const Address address = internet(host, static_cast<std::uint16_t>(port));
  const int fd = ::socket(address.get()->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  char byte = 'x';
  long result = ::connect(fd, address.get(), address.size);
  if (result == 0) result = ::send(fd, &byte, 1, 0);
  pollfd wait{fd, POLLIN, 0};
  if (result > 0 && ::poll(&wait, 1, 1000) == 0) {
    errno = ETIMEDOUT;
    result = -1;
  }
  if (result > 0) result = ::recv(fd, &byte, 1, 0);
  return closed(fd) < 0 ? -1 : result;
}

long unix_connect(const string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), std::min(path.size(), sizeof(address.sun_path) - 1));
  if (path[0] == '@') address.sun_path[0] = '\0';
  const long result =
      ::connect(fd, reinterpret_cast<sockaddr*>(&address),
                static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size()));
  return closed(fd) < 0 ? -1 : result;
}

long vsock_connect(unsigned cid) {
  const int fd = ::socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  sockaddr_vm address{};
  address.svm_family = AF_VSOCK;
  address.svm_cid = cid;
  address.svm_port = 1;
  const long result = ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address));
  return closed(fd) < 0 ? -1 : result;
}

// Adds an address to loopback; 0 only when the kernel took it.
long add_address() {
  const int fd = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) return -1;
  struct {
    nlmsghdr header;
    ifaddrmsg address;
    rtattr attribute;
    std::uint32_t value;
  } request{};
  request.header.nlmsg_len = sizeof(request);
  request.header.nlmsg_type = RTM_NEWADDR;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE;
  request.address.ifa_family = AF_INET;
  request.address.ifa_prefixlen = 32;
  request.address.ifa_index = 1;
  request.attribute.rta_len = RTA_LENGTH(4);
  request.attribute.rta_type = IFA_LOCAL;
  request.value = htonl(0x7F000002);
  struct {
    nlmsghdr header;
    nlmsgerr verdict;
  } answer{};
  long result = -1;
  if (::send(fd, &request, sizeof(request), 0) > 0 && ::recv(fd, &answer, sizeof(answer), 0) > 0) {
    errno = -answer.verdict.error;
    result = answer.verdict.error == 0 ? 0 : -1;
  }
  return closed(fd) < 0 ? -1 : result;
}

long out_of_band() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return -1;
  const long result = ::send(ends[0], "x", 1, MSG_OOB);
  const int error = errno;
  ::close(ends[0]);
  ::close(ends[1]);
  errno = error;
  return result;
}

void add_families(Probes& p) {
  struct Kind {
    const char* name;
    int family, type, protocol;
  };
  static constexpr Kind kKinds[] = {
      {"af-unix", AF_UNIX, SOCK_STREAM, 0},
      {"af-packet", AF_PACKET, SOCK_RAW, 0},
      {"af-packet-dgram", AF_PACKET, SOCK_DGRAM, 0},
      {"af-xdp", 44, SOCK_RAW, 0},
      {"af-alg", 38, SOCK_SEQPACKET, 0},
      {"af-bluetooth", 31, SOCK_RAW, 1},
      {"af-rds", 21, SOCK_SEQPACKET, 0},
      {"af-tipc", 30, SOCK_SEQPACKET, 0},
      {"af-can", 29, SOCK_RAW, 1},
      {"af-kcm", 41, SOCK_SEQPACKET, 0},
      {"af-smc", 43, SOCK_STREAM, 0},
      {"af-key", 15, SOCK_RAW, 2},
      {"af-vsock", 40, SOCK_STREAM, 0},
      {"raw-ip", AF_INET, SOCK_RAW, 1},
      {"raw-ip6", AF_INET6, SOCK_RAW, 58},
      {"ping-socket", AF_INET, SOCK_DGRAM, 1},
      {"sctp", AF_INET, SOCK_STREAM, 132},
      {"mptcp", AF_INET, SOCK_STREAM, 262},
      {"udplite", AF_INET, SOCK_DGRAM, 136},
      {"netlink-sock-diag", AF_NETLINK, SOCK_RAW, 4},
      {"netlink-xfrm", AF_NETLINK, SOCK_RAW, 6},
      {"netlink-audit", AF_NETLINK, SOCK_RAW, 9},
      {"netlink-netfilter", AF_NETLINK, SOCK_RAW, 12},
      {"netlink-uevent", AF_NETLINK, SOCK_RAW, 15},
      {"netlink-generic", AF_NETLINK, SOCK_RAW, 16},
      {"netlink-crypto", AF_NETLINK, SOCK_RAW, 21},
      {"must-af-inet", AF_INET, SOCK_STREAM, 0},
      {"must-af-inet6", AF_INET6, SOCK_DGRAM, 0},
      {"must-netlink-route", AF_NETLINK, SOCK_RAW, 0},
  };
  for (const Kind& kind : kKinds)
    p.push_back({kind.name, [&kind] { return try_socket(kind.family, kind.type, kind.protocol); }});
  p.push_back({"vsock-connect-host", [] { return vsock_connect(2); }});
  p.push_back({"netlink-add-address", add_address});
  p.push_back({"out-of-band", out_of_band});
}

void add_destinations(Probes& p) {
  p.push_back({"tcp4-direct", [] { return tcp("1.1.1.1", 8443); }});
  p.push_back({"tcp4-https", [] { return tcp("1.1.1.1", 443); }});
  p.push_back({"tcp6-https", [] { return tcp("2606:4700::1111", 443); }});
  p.push_back({"tcp6-direct", [] { return tcp("2606:4700::1111", 8443); }});
  p.push_back({"tcp4-ssh", [] { return tcp("203.0.113.9", 22); }});
  p.push_back({"udp4-direct", [] { return udp("8.8.8.8", 5353); }});
  p.push_back({"udp-quic", [] { return udp("8.8.8.8", 4433); }});
  p.push_back({"udp6-direct", [] { return udp("2001:4860:4860::8888", 5353); }});
  p.push_back({"dns-over-tls", [] { return tcp("9.9.9.9", 853); }});
  p.push_back({"metadata-aws-other-port", [] { return tcp("169.254.169.254", 8080); }});
  p.push_back({"metadata-aws6", [] { return tcp("fd00:ec2::254", 8080); }});
  p.push_back({"metadata-alibaba", [] { return tcp("100.100.100.200", 8080); }});
  p.push_back({"metadata-mapped", [] { return tcp("::ffff:169.254.169.254", 8080); }});
  const auto host_port = [] { return std::atoi(prepared("HOST_PORT").c_str()); };
  p.push_back({"host-loopback", [=] { return tcp("127.0.0.1", host_port()); }});
  p.push_back({"host-loopback-6", [=] { return tcp("::1", host_port()); }});
  p.push_back({"host-any-address", [=] { return tcp("0.0.0.0", host_port()); }});
  p.push_back({"host-mapped", [=] { return tcp("::ffff:127.0.0.1", host_port()); }});
  p.push_back({"host-abstract-socket", [] { return unix_connect("@" + prepared("ABSTRACT")); }});
  p.push_back({"host-path-socket", [] { return unix_connect(prepared("WORK") + "/host.sock"); }});
  p.push_back({"docker-socket", [] { return unix_connect("/var/run/docker.sock"); }});
  p.push_back({"must-own-server", [] {
                 const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
                 Address own = internet("127.0.0.1", 0);
                 if (::bind(server, own.get(), own.size) != 0 || ::listen(server, 1) != 0)
                   return -1L;
                 ::getsockname(server, reinterpret_cast<sockaddr*>(&own.storage), &own.size);
                 const long result = connected(own, SOCK_STREAM);
                 return closed(server) < 0 ? -1 : result;
               }});
}

}  // namespace

void add_socket_probes(Probes& probes) {
  add_families(probes);
  add_destinations(probes);
}

}  // namespace aispm::probes
