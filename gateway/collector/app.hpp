// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "gateway/collector/config.hpp"
#include "gateway/collector/role.hpp"
#include "sdk/core/common/result.hpp"

namespace aispm::collector {

// Serves until SIGTERM or SIGINT. The caller has blocked both signals in all threads.
Result<> run_collector(const Config& config, const std::string& version);

// Makes CA, store and, when there is no API token yet, an admin token; always a new enrolment
// token. Returns JSON for stdout:
// {"admin_token", "enrolment_token", "ca_file"}; admin_token is missing when tokens exist. Safe
// while the collector runs.
Result<std::string> bootstrap(const Config& config);

// A new API token as text. Safe while the collector runs. `approves`: roles in which its holder may
// answer approvals.
Result<std::string> create_token(const Config& config, Role role, const std::string& note,
                                 const std::vector<std::string>& approves = {});

}  // namespace aispm::collector
