// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "aispm/v1/policy.pb.h"
#include "sdk/cli/commands.hpp"

// freeze, kill, unfreeze, freezes.
namespace aispm::cli {

// `scope`: agent, session, user, model, tenant, all; `valid_for`: "" or "30s", "10m", "8h", "7d".
Result<v1::CreateFreezeRequest> freeze_request(const std::string& scope, const std::string& value,
                                               bool kills, const std::string& reason,
                                               std::uint32_t valid_seconds);
// Stops somebody. Waits a moment for what hosts make of it, and says so.
Result<> create_freeze(Client& client, const v1::CreateFreezeRequest& request,
                       const Output& output);
Result<> list_freezes(Client& client, bool with_past, const Output& output);
// `what`: the first digits of an id, or the name that was frozen.
Result<> lift_freeze(Client& client, const std::string& what, const std::string& reason,
                     const Output& output);

}  // namespace aispm::cli
