// SPDX-License-Identifier: Apache-2.0
#include "sandbox/supervise/trap.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "sandbox/supervise/names.hpp"

namespace aispm::sandbox {
namespace {

constexpr int kBacklog = 64;

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  std::string text;  // "198.18.0.7:443"
};

Address synthetic_address(std::uint32_t number, int family, std::uint16_t port) {
  Address address;
  char text[INET6_ADDRSTRLEN] = {};
  if (family == AF_INET) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    const Ip4 bytes = synthetic_ip4(number);
    std::memcpy(&v4.sin_addr, bytes.data(), bytes.size());
    std::memcpy(&address.storage, &v4, address.size = sizeof(v4));
    ::inet_ntop(AF_INET, bytes.data(), text, sizeof(text));
    address.text = text;
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    const Ip6 bytes = synthetic_ip6(number);
    std::memcpy(&v6.sin6_addr, bytes.data(), bytes.size());
    std::memcpy(&address.storage, &v6, address.size = sizeof(v6));
    ::inet_ntop(AF_INET6, bytes.data(), text, sizeof(text));
    address.text = "[" + std::string(text) + "]";
  }
  address.text += ":" + std::to_string(port);
  return address;
}

}  // namespace

Trap::~Trap() {
  for (const Entry& entry : entries_) remove(entry);
}

void Trap::remove(const Entry& entry) {
  for (const Listener& listener : entry.listeners) {
    loop_.remove(listener.socket.get());
    addresses_.erase(listener.address);
  }
}

Trap::Entry& Trap::entry_of(std::uint32_t number, const std::string& name) {
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return entry.number == number && entry.name == name;
  });
  if (found != entries_.end()) {
    entries_.splice(entries_.begin(), entries_, found);
    return entries_.front();
  }
  if (entries_.size() >= kMaxNames) {
    remove(entries_.back());
    entries_.pop_back();
  }
  entries_.push_front({number, name, false, false, {}});
  return entries_.front();
}

Result<UniqueFd> Trap::fresh_socket(int family) {
  auto& spare = family == AF_INET ? spare4_ : spare6_;
  if (spare.empty()) {
    AISPM_TRY(spare, source_(family));
  }
  if (spare.empty()) return fail(Errc::kExhausted, "no socket for a trap");
  UniqueFd socket = std::move(spare.back());
  spare.pop_back();
  return socket;
}

Result<> Trap::listen(Entry& entry, int family, std::uint16_t port) {
  AISPM_TRY(UniqueFd socket, fresh_socket(family));
  const Address address = synthetic_address(entry.number, family, port);
  const int yes = 1;
  // No interface has the address; a route alone makes it ours.
  if (family == AF_INET6 &&
      (::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_FREEBIND, &yes, sizeof(yes)) != 0 ||
       ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes)) != 0))
    return fail_errno("trap: IPV6_FREEBIND");
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.size) != 0)
    return fail_errno("trap: bind " + address.text);
  if (::listen(socket.get(), kBacklog) != 0) return fail_errno("trap: listen " + address.text);
  const int fd = socket.get();
  const Door door = port == 443 ? Door::kTls : Door::kPlain;
  AISPM_CHECK(loop_.add(
      fd, EPOLLIN, [this, fd, door, text = address.text, name = entry.name](std::uint32_t) {
        UniqueFd agent(::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (agent) taker_({std::move(agent), door, text, name});
      }));
  addresses_.insert(address.text);
  entry.listeners.push_back({std::move(socket), address.text});
  return {};
}

Result<> Trap::set(std::uint32_t number, int family, const std::string& name) {
  Entry& entry = entry_of(number, name);
  bool& is_set = family == AF_INET ? entry.has_ip4 : entry.has_ip6;
  if (is_set) return {};
  for (const std::uint16_t port : kPorts) AISPM_CHECK(listen(entry, family, port));
  is_set = true;
  return {};
}

}  // namespace aispm::sandbox
