// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "gateway/proxy/client.hpp"
#include "gateway/proxy/egress/egress_request.hpp"

namespace aispm::gateway {

// One connection to a further host.
struct Egress {
  Egress(Client& from, HostPort to) : client(from), host(std::move(to)) {}

  Client& client;
  HostPort host;
  std::unique_ptr<net::Stream> upstream;
  std::uint64_t sent_bytes = 0;  // by the agent
  std::uint64_t received_bytes = 0;
  std::string ended_by;  // a limit or a check, in words; empty: by one of both ends
  bool is_tunnel = false;

  const EgressConfig& config() const { return client.worker().services().config.egress; }
  // Counts bytes that were carried. False past the limit, which ends both sides.
  bool count(std::uint64_t& direction, std::size_t size);
  // Both sides wait from now on anew.
  void touch();
  void abort();
};

// Carries one request and its reply. The head was checked.
net::Task<> carry_request(Egress& egress, const codec::http1::Head& head);

}  // namespace aispm::gateway
