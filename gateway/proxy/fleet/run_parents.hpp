// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "gateway/proxy/client.hpp"

namespace aispm::gateway {

// Binds a run that is about to start to the one it names (`client.named_parent`): the caller's
// `parents` become that run's and that run itself. A refusal when no run of the same user has that
// session, when too many would stand behind each other, or when one would run for itself.
std::optional<Refusal> bind_to_parent(Client& client);

// Of the greeting: `,"parents":"SESSION AGENT SESSION AGENT"`, the first of all first. Empty: none.
std::string parents_field(const Caller& caller);

}  // namespace aispm::gateway
