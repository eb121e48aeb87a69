// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include "gateway/proxy/observe/dependency_probe.hpp"

namespace aispm::gateway {

struct Services;

// What the gateway needs to serve, and which of it is missing.
struct Readiness {
  std::map<std::string, std::string> checks;  // by part: "ok", or what is wrong
  bool is_ready = true;                       // false: requests would be refused

  // {"ready": ..., "failing": [names]}; with the reasons where `with_reasons`.
  std::string to_json(bool with_reasons) const;
};
Readiness find_readiness(const Services& services);

// Whose last call failed: providers and the guard model.
std::vector<DependencyProbe::Target> find_suspects(const Services& services);

}  // namespace aispm::gateway
