// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "aispm/v1/enforce.pb.h"
#include "sdk/core/common/result.hpp"
#include "sdk/core/model/order.hpp"

namespace aispm::report {

// An order as it came. kInvalid for what the model cannot hold: an unknown action or mode, a port
// above 65535, a time outside 1970..2262.
Result<model::Order> from_proto(const v1::Order& order);

v1::Order to_proto(const model::Order& order);

}  // namespace aispm::report
