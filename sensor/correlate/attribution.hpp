// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "sensor/correlate/observation.hpp"
#include "sensor/correlate/route.hpp"
#include "sensor/correlate/sockets.hpp"

namespace aispm::sensor {

// Says of each observation where its bytes went, how that is known, and whether they passed the
// sanctioned gateway. Not thread-safe.
class Attributor {
 public:
  explicit Attributor(std::vector<GatewayPlace> gateways) : judge_(std::move(gateways)) {}

  Sockets& sockets() { return sockets_; }
  const RouteJudge& judge() const { return judge_; }

  // Fills the destination, attribution, route and, where the plaintext did not name it, the host of
  // seen.call, and seen.server. On a server's side whose client is a process of this host, that
  // client becomes the observation's actor.
  void complete(Observation& seen);

 private:
  void complete_client(Observation& seen);
  void complete_server(Observation& seen);
  void complete_stdio(Observation& seen);
  void set_socket(Observation& seen);
  bool is_gateway_process(const ProcessId& process);

  Sockets sockets_;
  RouteJudge judge_;
};

}  // namespace aispm::sensor
