// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "gateway/proxy/decide/identity.hpp"

namespace aispm::gateway {

// Why the registry lets this agent do nothing at all now: it is blocked, or its registration is
// over. Nothing: it may act, or the registry does not know it. Pure.
std::optional<Identity::Objection> object_to_agent(const policy::AgentRegistry& registry,
                                                   const std::string& agent, WallTime now);

}  // namespace aispm::gateway
