// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/proxy/traffic/figures.hpp"
#include "sdk/core/model/event.hpp"

namespace aispm::gateway {

struct ArmCall {
  bool has_failed = false;
  bool is_flagged = false;
  bool is_denied = false;
};

// Counts a call that a candidate answered, or did not, to its end.
void add_call(ArmFigures& figures, const model::LlmCall& call, const ArmCall& how);
// Counts a request that another candidate got after it had failed with this one.
void add_failed_attempt(ArmFigures& figures);

}  // namespace aispm::gateway
