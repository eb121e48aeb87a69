// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <set>
#include <string>
#include <vector>

#include "sandbox/supervise/event_loop.hpp"
#include "sandbox/supervise/relay.hpp"

namespace aispm::sandbox {

// Listens on ports 80 and 443 of the synthetic addresses of the names asked for last, so that a
// program that ignores the proxy in its environment can be told why it is refused, or be carried to
// an allowed host. All other ports and addresses have no listener: there the kernel refuses. Not
// thread-safe.
class Trap {
 public:
  // Names with listeners; of the oldest they are closed, and its connections refused at once again.
  static constexpr std::size_t kMaxNames = 64;
  static constexpr std::uint16_t kPorts[] = {80, 443};

  // Unbound stream sockets of the agent's network, one or more.
  using SocketSource = std::function<Result<std::vector<UniqueFd>>(int family)>;
  using Taker = std::function<void(Arrival)>;

  Trap(EventLoop& loop, SocketSource source, Taker taker)
      : loop_(loop), source_(std::move(source)), taker_(std::move(taker)) {}
  ~Trap();
  Trap(const Trap&) = delete;
  Trap& operator=(const Trap&) = delete;

  // Sets the trap at the number's address of that family (AF_INET, AF_INET6), if it is not there.
  Result<> set(std::uint32_t number, int family, const std::string& name);
  // Whether "198.18.0.7:443" is answered here.
  bool listens_at(const std::string& address) const { return addresses_.contains(address); }

 private:
  struct Listener {
    UniqueFd socket;
    std::string address;
  };
  struct Entry {
    std::uint32_t number;
    std::string name;
    bool has_ip4 = false;
    bool has_ip6 = false;
    std::vector<Listener> listeners;
  };
  Entry& entry_of(std::uint32_t number, const std::string& name);
  Result<UniqueFd> fresh_socket(int family);
  Result<> listen(Entry& entry, int family, std::uint16_t port);
  void remove(const Entry& entry);

  EventLoop& loop_;
  SocketSource source_;
  Taker taker_;
  std::list<Entry> entries_;  // the one asked for last is first
  std::set<std::string> addresses_;
  std::vector<UniqueFd> spare4_;
  std::vector<UniqueFd> spare6_;
};

}  // namespace aispm::sandbox
