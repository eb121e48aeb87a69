// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "aispm/v1/event.pb.h"
#include "sdk/core/common/result.hpp"

namespace aispm::collector {

namespace pb = aispm::v1;

// Limits of the bodies from which the inventory is made. kInvalid names the field. Pure.
Result<> check_inventory_body(const pb::Event& event);

}  // namespace aispm::collector
