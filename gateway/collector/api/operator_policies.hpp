// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/collector/api/handlers.hpp"
#include "gateway/collector/control.hpp"
#include "gateway/collector/ingest/links.hpp"
#include "sdk/core/common/time.hpp"

namespace aispm::collector::api {

// Policies: push, list, versions, restore, promote, scope. References outlive the handlers.
// `order_changes` wakes the sensors' watches.
void add_policies(Handlers& handlers, const WallClock& clock, const Links& links,
                  OrderChanges& order_changes, Control& control);
// Freezes and the kill switch: create, list, lift.
void add_freezes(Handlers& handlers, const WallClock& clock, OrderChanges& order_changes,
                 Control& control);

}  // namespace aispm::collector::api
