// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "aispm/v1/simulate.pb.h"
#include "sdk/core/common/time.hpp"
#include "sdk/core/policy/bundle.hpp"

namespace aispm::policy {

// Why an action was decided as it was: where the rule stands, what of the action it asked about,
// and what would have led elsewhere. `bundle`: the version that decided; null where nobody has it
// any more. `event` carries an ActionCall and a decision. `registry`: that of the collector which
// was in force then; null: none is known. Fills all but event and policy. Pure.
v1::Explanation explain_action(const Bundle* bundle, const v1::Event& event,
                               const RegistryPart* registry = nullptr);

}  // namespace aispm::policy
