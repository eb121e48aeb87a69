// SPDX-License-Identifier: Apache-2.0
#include "sandbox/supervise/dns_server.hpp"

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>

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

bool serve_dns(int socket, int family, const DnsAnswerer& answer) {
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
  if (size < 0) return false;
  auto reply = answer({datagram.data(), static_cast<std::size_t>(size)}, "udp");
  if (reply.empty()) return true;
  answer_from_there(header, family);
  part = {reply.data(), reply.size()};
  (void)::sendmsg(socket, &header,
                  MSG_DONTWAIT | MSG_NOSIGNAL);  // an asker that is gone needs no answer
  return true;
}

DnsTcp::~DnsTcp() {
  while (!connections_.empty()) close(connections_.front().socket.get());
  if (listener_) loop_.remove(listener_.get());
}

Result<> DnsTcp::start() {
  return loop_.add(listener_.get(), EPOLLIN, [this](std::uint32_t) { accept_one(); });
}

void DnsTcp::accept_one() {
  UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket) return;
  if (connections_.size() >= kMaxConnections) close(connections_.front().socket.get());
  const int fd = socket.get();
  connections_.push_back({std::move(socket), {}});
  if (auto added = loop_.add(fd, EPOLLIN, [this, fd](std::uint32_t) { read(fd); }); !added)
    connections_.pop_back();
}

void DnsTcp::read(int fd) {
  const auto found = std::find_if(connections_.begin(), connections_.end(),
                                  [&](const Connection& one) { return one.socket.get() == fd; });
  if (found == connections_.end()) return;
  connections_.splice(connections_.end(), connections_, found);
  char bytes[kMaxMessageBytes];
  const ssize_t size = ::recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) return close(fd);
  found->received.append(bytes, static_cast<std::size_t>(size));
  if (!answer_whole(*found)) close(fd);
}

// Answers each message that is complete. False when the connection is to end.
bool DnsTcp::answer_whole(Connection& connection) {
  while (connection.received.size() >= 2) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(connection.received.data());
    const std::size_t size = static_cast<std::size_t>(bytes[0] << 8 | bytes[1]);
    if (size > kMaxMessageBytes) return false;
    if (connection.received.size() < size + 2) return true;
    const auto reply = answer_({bytes + 2, size}, "tcp");
    if (reply.empty()) return false;
    std::string framed;
    framed += static_cast<char>(reply.size() >> 8);
    framed += static_cast<char>(reply.size());
    framed.append(reinterpret_cast<const char*>(reply.data()), reply.size());
    // An asker that does not read its short answers gets no more of them.
    if (::send(connection.socket.get(), framed.data(), framed.size(),
               MSG_DONTWAIT | MSG_NOSIGNAL) != static_cast<ssize_t>(framed.size()))
      return false;
    connection.received.erase(0, size + 2);
  }
  return true;
}

void DnsTcp::close(int fd) {
  loop_.remove(fd);
  connections_.remove_if([&](const Connection& one) { return one.socket.get() == fd; });
}

}  // namespace aispm::sandbox
