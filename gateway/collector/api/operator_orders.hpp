// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/collector/api/handlers.hpp"
#include "gateway/collector/ingest/links.hpp"
#include "sdk/core/common/time.hpp"

namespace aispm::collector::api {

// CreateOrder, ListOrders, DeleteOrder. `changes` wakes the sensors' watches; outlives the
// handlers.
void add_orders(Handlers& handlers, const WallClock& clock, OrderChanges& changes);

}  // namespace aispm::collector::api
