// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sensor/correlate/address_key.hpp"
#include "sensor/correlate/lru_map.hpp"
#include "sensor/model/records.hpp"

namespace aispm::sensor {

// Who opened which connection, who listens where, and what a destination is called: what ties a
// stream to its other end. Holds the latest of each kind, up to the limits below. Not thread-safe.
class Sockets {
 public:
  static constexpr std::size_t kMaxConnects = 16384;
  static constexpr std::size_t kMaxListeners = 4096;
  static constexpr std::size_t kMaxNamedSockets = 8192;
  static constexpr std::size_t kMaxNamedAddresses = 8192;
  // Connections of one process to one name that are kept apart.
  static constexpr std::size_t kMaxSocketsOfName = 16;

  void take(const Connect& connect);
  void take(const Listen& listen);
  void take(const SeenName& name);
  void take(const SocketBytes& bytes);
  void end_process(const ProcessId& process);
  // Forgets connections some seconds after their end: their last bytes may be read after it.
  void expire(BootTime now);

  // The process on this host that opened the connection whose server's end is `server_socket`
  // (source is the server's own end).
  std::optional<Actor> client_of(const Endpoints& server_socket);
  // The process on this host that listens at `address`, of all addresses too.
  std::optional<Actor> listener_at(const Address& address);
  // Where the process listens.
  std::vector<Address> listened_by(const ProcessId& process) const;
  // What the client's end of a connection asked for (SNI, Host), else what a DNS answer calls its
  // address; empty when unknown.
  std::string name_of(const Endpoints& client_socket, BootTime now);

  // As name_of(), and how that is known: name_of(NameSource).
  std::pair<std::string, std::string> name_and_source_of(const Endpoints& client_socket,
                                                         BootTime now);

  struct Named {
    Endpoints socket;
    std::size_t candidates =
        0;  // open connections that it could as well be; 1 = it is the only one
  };
  // An open connection of the process to that name (without port); the latest.
  std::optional<Named> find_by_name(const ProcessId& process, std::string_view name);

 private:
  struct DnsName {
    std::string name;
    BootTime until;
  };
  struct NamedSocket {
    ProcessId process;
    std::string name;
    Endpoints socket;
    NameSource source = NameSource::kSni;
  };
  using ProcessName = std::pair<ProcessId, std::string>;

  void forget_named(std::uint64_t cookie);
  void remove_from_name(const NamedSocket& named);

  LruMap<PairKey, Actor> connects_{kMaxConnects};
  LruMap<AddressKey, Listen> listeners_{kMaxListeners};
  LruMap<std::uint64_t, NamedSocket> named_{kMaxNamedSockets};  // by cookie
  std::map<ProcessName, std::vector<std::uint64_t>> by_name_;   // cookies, latest last
  std::deque<std::pair<BootTime, std::uint64_t>> closed_;       // cookies, in order of their end
  LruMap<AddressKey, DnsName> dns_{kMaxNamedAddresses};         // port 0
};

}  // namespace aispm::sensor
