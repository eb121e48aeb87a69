// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "gateway/proxy/config.hpp"
#include "sdk/core/common/result.hpp"

namespace aispm::gateway {

// The program's life: load rules, open the recorder, listen, serve, end. Returns when SIGTERM or
// SIGINT came and all threads have ended; SIGHUP loads rules and the key file anew. Errors are
// those of starting.
Result<> run_gateway(Config config);

// Loads everything that a configuration names without serving: what --check-config does.
Result<> check_gateway(Config config);

}  // namespace aispm::gateway
