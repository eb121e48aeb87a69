// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "gateway/proxy/decide/config_decide.hpp"
#include "sdk/core/common/result.hpp"
#include "sdk/core/common/time.hpp"

namespace aispm::gateway {

// Whether a token (JWT, EdDSA or RS256) shows that the person behind an agent has just signed in
// with a second factor: signed by one of the configured keys, `auth_time` (else `iat`) at most
// max_age ago, `amr` with "mfa", not expired, and `sub` the agent or its user. Says who it was.
// kDenied says what is missing. Pure.
Result<std::string> check_step_up(const StepUpConfig& config, std::string_view token,
                                  std::string_view agent_id, WallTime now);

}  // namespace aispm::gateway
