// SPDX-License-Identifier: Apache-2.0
#include "sensor/correlate/sockets.hpp"

#include <algorithm>

namespace aispm::sensor {
namespace {

constexpr std::uint64_t kNanosecondsPerSecond = 1'000'000'000;
// A connection may be older than its name's time to live: clients keep what they resolved.
constexpr std::uint32_t kMinNameSeconds = 600;
constexpr std::uint32_t kMaxNameSeconds = 86'400;
constexpr std::uint64_t kKeepClosedNanoseconds = 5 * kNanosecondsPerSecond;

AddressKey without_port(const Address& address) {
  AddressKey key(address);
  key.port = 0;
  return key;
}

Address any_address(const Address& address) {
  Address any;
  any.is_v6 = address.is_v6;
  any.port = address.port;
  return any;
}

}  // namespace

void Sockets::take(const Connect& connect) {
  if (connect.outcome == ConnectOutcome::kFailed) return;
  (void)connects_.put({connect.socket.source, connect.socket.destination}, connect.actor);
}

void Sockets::take(const Listen& listen) {
  (void)listeners_.put(AddressKey(listen.socket.source), listen);
}

void Sockets::take(const SeenName& name) {
  if (name.name.empty()) return;
  if (name.source == NameSource::kDns) {
    const std::uint64_t seconds = std::clamp(name.ttl_seconds, kMinNameSeconds, kMaxNameSeconds);
    const BootTime until{name.time.nanoseconds + seconds * kNanosecondsPerSecond};
    for (const Address& address : name.addresses)
      (void)dns_.put(without_port(address), {name.name, until});
    return;
  }
  if (!name.socket || name.socket->cookie == 0) return;
  const std::uint64_t cookie = name.socket->cookie;
  forget_named(cookie);
  std::vector<std::uint64_t>& cookies = by_name_[{name.actor.id, name.name}];
  if (cookies.size() >= kMaxSocketsOfName) cookies.erase(cookies.begin());
  cookies.push_back(cookie);
  if (const auto dropped =
          named_.put(cookie, {name.actor.id, name.name, *name.socket, name.source}))
    remove_from_name(dropped->second);
}

void Sockets::take(const SocketBytes& bytes) {
  if (bytes.is_open || named_.find(bytes.socket.cookie) == nullptr) return;
  closed_.emplace_back(bytes.time, bytes.socket.cookie);
}

void Sockets::expire(BootTime now) {
  while (!closed_.empty() &&
         closed_.front().first.nanoseconds + kKeepClosedNanoseconds < now.nanoseconds) {
    forget_named(closed_.front().second);
    closed_.pop_front();
  }
}

void Sockets::forget_named(std::uint64_t cookie) {
  const NamedSocket* named = named_.find(cookie);
  if (named == nullptr) return;
  remove_from_name(*named);
  named_.erase(cookie);
}

void Sockets::remove_from_name(const NamedSocket& named) {
  const auto found = by_name_.find({named.process, named.name});
  if (found == by_name_.end()) return;
  std::erase(found->second, named.socket.cookie);
  if (found->second.empty()) by_name_.erase(found);
}

void Sockets::end_process(const ProcessId& process) {
  for (auto found = by_name_.lower_bound({process, ""});
       found != by_name_.end() && found->first.first == process;) {
    for (const std::uint64_t cookie : found->second) named_.erase(cookie);
    found = by_name_.erase(found);
  }
  listeners_.erase_if(
      [&](const AddressKey&, const Listen& listen) { return listen.actor.id == process; });
}

std::optional<Actor> Sockets::client_of(const Endpoints& server_socket) {
  const Actor* found = connects_.find({server_socket.destination, server_socket.source});
  return found != nullptr ? std::optional(*found) : std::nullopt;
}

std::optional<Actor> Sockets::listener_at(const Address& address) {
  const Address any_v4 = any_address({address.bytes, false, address.port});
  const Address any_v6 = any_address({address.bytes, true, address.port});
  for (const AddressKey& key : {AddressKey(address), AddressKey(any_v4), AddressKey(any_v6)})
    if (const Listen* found = listeners_.find(key)) return found->actor;
  return std::nullopt;
}

std::vector<Address> Sockets::listened_by(const ProcessId& process) const {
  std::vector<Address> addresses;
  for (const auto& [key, listen] : listeners_)
    if (listen.actor.id == process) addresses.push_back(listen.socket.source);
  return addresses;
}

std::string Sockets::name_of(const Endpoints& client_socket, BootTime now) {
  return name_and_source_of(client_socket, now).first;
}

std::pair<std::string, std::string> Sockets::name_and_source_of(const Endpoints& client_socket,
                                                                BootTime now) {
  if (client_socket.cookie != 0)
    if (const NamedSocket* named = named_.find(client_socket.cookie))
      return {named->name, std::string(sensor::name_of(named->source))};
  const DnsName* found = dns_.find(without_port(client_socket.destination));
  if (found == nullptr || now > found->until) return {};
  return {found->name, "dns"};
}

std::optional<Sockets::Named> Sockets::find_by_name(const ProcessId& process,
                                                    std::string_view name) {
  const auto found = by_name_.find({process, std::string(name)});
  if (found == by_name_.end() || found->second.empty()) return std::nullopt;
  const NamedSocket* named = named_.find(found->second.back());
  if (named == nullptr) return std::nullopt;
  return Named{named->socket, found->second.size()};
}

}  // namespace aispm::sensor
